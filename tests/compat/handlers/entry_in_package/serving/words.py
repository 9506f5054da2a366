GREETING = "hello "
