// Numbers as people read them, and what is only seen over time: rates, means, courses.

const SPAN_S = 5;
const KEPT = 120;
const NONE = "–";

const digits = (value, most) => value.toLocaleString("en", { maximumFractionDigits: most });

/** A number and its unit, apart, so that the unit can be set smaller. */
export function count(value) {
  if (value === null || value === undefined) return [NONE, ""];
  if (value >= 1e6) return [digits(value / 1e6, 1) + "M", ""];
  if (value >= 1e4) return [digits(value / 1e3, 1) + "k", ""];
  return [value > 0 && value < 10 ? digits(value, 1) : digits(value, 0), ""];
}

export function milliseconds(value) {
  if (value === null || value === undefined) return [NONE, ""];
  if (value >= 60000) return [digits(value / 60000, 1), "min"];
  if (value >= 1000) return [digits(value / 1000, 2), "s"];
  if (value > 0 && value < 0.01) return ["< 0.01", "ms"];
  return [digits(value, value < 1 ? 2 : value < 100 ? 1 : 0), "ms"];
}

export const words = (parts) => parts.filter(Boolean).join(" ");

export function duration(seconds) {
  const [d, h, m, s] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s} s` : `${s} s`;
}

export function bytes(value) {
  if (value < 1000) return `${value} B`;
  return value < 1e6 ? `${digits(value / 1e3, 1)} kB` : `${digits(value / 1e6, 1)} MB`;
}

/** Counters of one thing over the last seconds. */
class Course {
  samples = [];

  add(clock, counters) {
    const last = this.samples.at(-1);
    if (clock === last?.clock) return; // the same numbers once more
    // A counter that fell is another counter: the version was replaced, or the server started anew.
    if (last && (clock < last.clock || Object.keys(counters).some((each) => counters[each] < last.counters[each]))) {
      this.samples = [];
    }
    this.samples.push({ clock, counters });
    while (this.samples.length > 2 && this.samples[1].clock < clock - SPAN_S) this.samples.shift();
  }

  /** How much a counter grew a second; null while there is nothing to compare with. */
  rate(name) {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || first === last) return null;
    return (last.counters[name] - first.counters[name]) / (last.clock - first.clock);
  }

  /** How much of one counter came on one of another, lately or else ever. */
  share(part, whole) {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    const grown = last.counters[whole] - first.counters[whole];
    if (grown > 0) return (last.counters[part] - first.counters[part]) / grown;
    return last.counters[whole] ? last.counters[part] / last.counters[whole] : null;
  }
}

/** What was seen of the whole server; forgets what is not served any more. */
export class Memory {
  courses = new Map();
  lines = new Map();
  seen = new Set();

  begin() {
    this.seen = new Set();
  }

  end() {
    for (const kept of [this.courses, this.lines]) {
      for (const each of kept.keys()) if (!this.seen.has(each)) kept.delete(each);
    }
  }

  course(name, clock, counters) {
    this.seen.add(name);
    if (!this.courses.has(name)) this.courses.set(name, new Course());
    const course = this.courses.get(name);
    course.add(clock, counters);
    return course;
  }

  /** The last two minutes of a value, the newest last. */
  line(name, value) {
    this.seen.add(name);
    if (!this.lines.has(name)) this.lines.set(name, []);
    const line = this.lines.get(name);
    line.push(value);
    if (line.length > KEPT) line.shift();
    return line;
  }
}
