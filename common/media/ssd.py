"""Faces with OpenCV's single-shot detector (Liu et al. 2016), whose body is a ResNet-10, from the user's two Caffe files.

They are deploy.prototxt, from samples/dnn/face_detector of OpenCV's sources, and
res10_300x300_ssd_iter_140000.caffemodel, or its half-precision form, from OpenCV's opencv_3rdparty. The means are those
of train.prototxt beside the former; some programs have 177 for green, a slip that spread.
"""

from pathlib import Path

import numpy as np

from common.errors import InputError

SIZE = 300  # pixels, whatever the shape of the frame
MEAN_BGR = (104.0, 117.0, 123.0)
CONFIDENCE = 0.5
COLUMNS = 7  # of a detection: image, class, confidence, and left, top, right, bottom as parts of the image


class Detector:
    """detector(image) gives the box of the largest face in an image.

    Raises InputError for files that are missing or are no detector.
    """

    def __init__(self, prototxt: Path, caffemodel: Path, confidence: float = CONFIDENCE):
        import cv2

        for path, example in ((prototxt, "deploy.prototxt"), (caffemodel, "res10_300x300_ssd_iter_140000.caffemodel")):
            if not Path(path).is_file():
                raise InputError(
                    f"{path}: no such file; name OpenCV's {example}, or take dlib's detector (--set detector=dlib)"
                )
        self.confidence = confidence
        try:
            self._net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
            shape = self._run(np.zeros((SIZE, SIZE, 3), np.uint8)).shape  # weights that lack show only now
        except cv2.error as error:
            raise InputError(
                f"{caffemodel}: does not go with {prototxt}, or one of them is damaged "
                f"({' '.join(error.err.split())}); fetch both again"
            ) from error
        if len(shape) != 4 or shape[:2] != (1, 1) or shape[3] != COLUMNS:
            raise InputError(
                f"{prototxt}: its network puts out {shape}, a detector (1, 1, n, {COLUMNS}); name OpenCV's deploy.prototxt"
            )

    def __call__(self, image: np.ndarray) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom in pixels of the largest face in an RGB image (h, w, 3) uint8, or None.

        Of boxes whose confidence is above the threshold, the largest counts after all are cut at the image's edges.
        """
        height, width = image.shape[:2]
        detections = self._run(image)[0, 0]
        sides = detections[detections[:, 2] > self.confidence, 3:] * (width, height, width, height)
        sides = np.round(np.clip(sides, 0, (width, height, width, height)))
        areas = (sides[:, 2:] - sides[:, :2]).clip(min=0).prod(axis=1)
        areas = np.nan_to_num(areas)  # a box that is no number is none
        if not areas.any():
            return None
        return tuple(int(side) for side in sides[areas.argmax()])

    def _run(self, image: np.ndarray) -> np.ndarray:
        import cv2

        self._net.setInput(cv2.dnn.blobFromImage(image[..., ::-1], 1.0, (SIZE, SIZE), MEAN_BGR))
        return self._net.forward()
