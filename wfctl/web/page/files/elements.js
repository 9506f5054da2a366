// Elements of the page. Whatever comes from the server enters as text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Make an element; children are elements or text. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function draw(tag, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

/** A name with what cannot be seen, or turns what follows it around, written as an escape, as in the drawing. */
export const plain = (text) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`);

/** Set a text if it is another: what did not change keeps the reader's selection, and a screen reader silent. */
export function tell(element, text) {
  const shown = plain(text);
  if (element.textContent !== shown) element.textContent = shown;
}

/** Keep one child for each item, in their order; `make` makes a new one, and `show` fills it each time. */
export function keep(parent, items, nameOf, makeOne, show) {
  const there = new Map([...parent.children].map((child) => [child.dataset.name, child]));
  items.forEach((item, at) => {
    const name = nameOf(item);
    let child = there.get(name);
    if (!child) {
      child = makeOne(item);
      child.dataset.name = name;
    }
    there.delete(name);
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
    show(child, item);
  });
  for (const child of there.values()) child.remove();
}

const WIDE = 119;
const FEWEST = 40;
const HIGH = 26;

/** A line of the last two minutes. */
export function spark() {
  const picture = draw("svg", { class: "spark", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.append(draw("path", { class: "area" }), draw("path", { class: "line" }));
  return picture;
}

export function plot(picture, values) {
  const known = values.map((value) => value ?? 0);
  const most = Math.max(...known, 1e-9) * 1.1;
  // A short course is not squeezed into a corner for the two minutes that it could be long.
  const step = WIDE / (Math.max(known.length, FEWEST) - 1);
  const begin = WIDE - step * (known.length - 1);
  const at = (value, index) =>
    `${(begin + step * index).toFixed(1)} ${(HIGH - 1.5 - (value / most) * (HIGH - 4)).toFixed(1)}`;
  const line = known.map(at).join("L");
  const [area, stroke] = picture.children;
  stroke.setAttribute("d", known.length > 1 ? `M${line}` : "");
  area.setAttribute("d", known.length > 1 ? `M${line}V${HIGH}H${begin.toFixed(1)}z` : "");
}
