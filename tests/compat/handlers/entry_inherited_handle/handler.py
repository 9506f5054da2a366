from steps import Steps


class Exclaim(Steps):
    def postprocess(self, items):
        return [item + "!" for item in items]
