from torchvision import transforms
from ts.torch_handler.image_segmenter import ImageSegmenter


class Segments(ImageSegmenter):
    image_processing = transforms.Compose([transforms.Resize((2, 2)), transforms.ToTensor()])
