from torchvision import transforms
from ts.torch_handler.image_classifier import ImageClassifier


class Explaining(ImageClassifier):
    image_processing = transforms.Compose([transforms.Resize((2, 2)), transforms.ToTensor()])
