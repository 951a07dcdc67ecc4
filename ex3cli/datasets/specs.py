"""The known data sets: files with their digests, where they come from, and the names of their classes."""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field

DIGITS = "digits"


@dataclass(frozen=True)
class Spec:
    """One data set: its folder in torchvision's layout, the published SHA-256 of each file, its classes.

    digests : file → SHA-256, of the uncompressed content where ex3 knows it: a re-compressed copy of the same
        images is right too. A name ending in .gz or .zip has the digest of the archive itself.
    arrays : training images and labels, test images and labels: files, or ARCHIVE.zip/MEMBER. Without them,
        the files in order.
    mirrors : addresses, ending with a slash, to which the name of a file is appended; `data fetch` tries
        torchvision's own mirrors of an uncompressed file first.
    transposed : whether images are stored column by column.
    is_extra : whether the exercise does not use the data set; its absence is not reported.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    source: str
    folder: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    transposed: bool = False
    is_extra: bool = False


DIGIT_NAMES = tuple(string.digits)
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _files(*digests: str, ending: str = "") -> Mapping[str, str]:
    return {f"{file}{ending}": digest for file, digest in zip(FILES, digests, strict=True)}


SPECS = {
    spec.name: spec
    for spec in (
        Spec(
            name="fashion-mnist",
            title="Fashion-MNIST, 60,000 + 10,000 grey images of clothes, 28×28",
            class_names=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            mirrors=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
            source="Xiao, Rasul and Vollgraf 2017 (arXiv 1708.07747), MIT licence, Zalando SE",
            folder="FashionMNIST/raw",
            digests=_files(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        Spec(
            name="mnist",
            title="MNIST, 60,000 + 10,000 handwritten digits, 28×28",
            class_names=DIGIT_NAMES,
            mirrors=("https://storage.googleapis.com/cvdf-datasets/mnist/",),
            source="LeCun, Cortes and Burges 1998, CC BY-SA 3.0 licence",
            folder="MNIST/raw",
            digests=_files(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        Spec(
            name=DIGITS,
            title="1,797 handwritten digits, 8×8 enlarged to 28×28; small, and always there",
            class_names=DIGIT_NAMES,
            source="scikit-learn's load_digits (Alpaydin and Kaynak 1998)",
        ),
        # The digests of the archives below are those of TensorFlow Datasets' url_checksums.
        Spec(
            name="kmnist",
            title="KMNIST, 60,000 + 10,000 cursive Japanese characters of 10 classes, 28×28",
            class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            source="Clanuwat et al. 2018 (arXiv 1812.01718), CC BY-SA 4.0 licence, CODH",
            folder="KMNIST/raw",
            digests=_files(
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
                ending=".gz",
            ),
            mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            is_extra=True,
        ),
        Spec(
            name="qmnist",
            title="QMNIST, 60,000 + 60,000 handwritten digits: MNIST with its lost test images, 28×28",
            class_names=DIGIT_NAMES,
            source="Yadav and Bottou 2019 (arXiv 1905.10498), BSD licence, Facebook",
            folder="QMNIST/raw",
            digests={
                "qmnist-train-images-idx3-ubyte.gz": (
                    "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d"
                ),
                "qmnist-train-labels-idx2-int.gz": (
                    "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f"
                ),
                "qmnist-test-images-idx3-ubyte.gz": (
                    "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375"
                ),
                "qmnist-test-labels-idx2-int.gz": (
                    "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06"
                ),
            },
            mirrors=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
            is_extra=True,
        ),
        # A lower-case letter has a class of its own only where its form differs from the capital's.
        Spec(
            name="emnist",
            title="EMNIST balanced, 112,800 + 18,800 handwritten digits and letters of 47 classes, 28×28",
            class_names=(
                *DIGIT_NAMES,
                *string.ascii_uppercase,
                *(f"lower {letter}" for letter in "abdefghnqrt"),
            ),
            source="Cohen et al. 2017 (arXiv 1702.05373), NIST",
            folder="EMNIST/raw",
            digests={"gzip.zip": "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"},
            arrays=tuple(
                f"gzip.zip/gzip/emnist-balanced-{part}.gz"
                for part in (
                    "train-images-idx3-ubyte",
                    "train-labels-idx1-ubyte",
                    "test-images-idx3-ubyte",
                    "test-labels-idx1-ubyte",
                )
            ),
            mirrors=(
                "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
                "https://biometrics.nist.gov/cs_links/EMNIST/",
            ),
            transposed=True,
            is_extra=True,
        ),
    )
}
