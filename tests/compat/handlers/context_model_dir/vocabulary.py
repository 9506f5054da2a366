WORDS = ["x"]
