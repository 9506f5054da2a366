from torchvision import transforms
from ts.torch_handler.image_classifier import ImageClassifier


class Small(ImageClassifier):
    topk = 2
    image_processing = transforms.Compose([transforms.Resize((4, 4)), transforms.ToTensor()])

    def postprocess(self, data):
        self.set_max_result_classes(self.get_max_result_classes() - 1)
        result = super().postprocess(data)
        self.set_max_result_classes(2)
        return result
