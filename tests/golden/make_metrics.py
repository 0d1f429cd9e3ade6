#!/usr/bin/env python3
"""Writes metrics.txt: scores by scikit-image, and UQI by a plain loop, of images that test_metrics.cpp builds by the same formulas.

    /usr/bin/python3 tests/golden/make_metrics.py        (numpy and scikit-image; with --check-sewar also the package sewar)

Lines: `CASE check SUM_TARGET SUM_OUTPUT SUM_MASK`, then `CASE REGION METRIC VALUE`.
"""
import pathlib, sys, warnings
import numpy as np
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

SIZES = {"tiny": (12, 13), "tall": (96, 80), "slice": (256, 256)}
OUTPUTS = ["identical", "noise", "blank", "shift", "speckled", "zero_target", "flat"]

def hashed(size, salt):
    h, w = size
    v = (np.arange(h * w, dtype=np.uint64) * 2654435761 + salt * 40503) & 0xFFFFFFFF
    v ^= v >> 15
    v = (v * 2246822519) & 0xFFFFFFFF
    return ((v ^ (v >> 13)) & 255).astype(np.int64).reshape(h, w)

def images(size, kind):
    h, w = size
    r, c = np.mgrid[0:h, 0:w]
    head = (2 * r - h) ** 2 * w * w + (2 * c - w) ** 2 * h * h < h * h * w * w * 3 // 4
    target = np.where(head, 60 + (3 * r + 5 * c) % 97 + hashed(size, 1) % 20, 0)
    mask = (r >= h // 3) & (r < h // 2) & (c >= w // 4) & (c < w // 2)
    mask |= (r - 2 * h // 3) ** 2 + (c - 2 * w // 3) ** 2 <= (h // 10) ** 2
    noise = hashed(size, 2)
    output = {"identical": target, "noise": np.clip(target + noise % 25 - 12, 0, 255), "blank": np.where(mask, 0, target),
              "shift": np.clip(target + 9, 0, 255), "speckled": np.where(~head & (noise < 41), 1, target),
              "zero_target": np.where(noise < 128, 7, 0), "flat": np.full(size, 110)}[kind]
    if kind == "zero_target":
        target = np.zeros(size, np.int64)
    if kind == "flat":
        target = np.full(size, 100)
    return target.astype(np.uint8), output.astype(np.uint8), mask

def regions(mask):
    ring = np.zeros_like(mask)
    h, w = mask.shape
    for dr in range(-5, 6):
        for dc in range(-5, 6):
            if dr * dr + dc * dc <= 25:
                ring[max(dr, 0):h + min(dr, 0), max(dc, 0):w + min(dc, 0)] |= \
                    mask[max(-dr, 0):h + min(-dr, 0), max(-dc, 0):w + min(-dc, 0)]
    return {"whole": np.ones_like(mask), "mask": mask, "ring": ring & ~mask, "outside": ~mask}

def uqi_map(x, y, sewar):
    n, side = 64, 8
    last = 1 if sewar else 0
    out = np.ones((x.shape[0] - 7 - last, x.shape[1] - 7 - last))
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            a, b = x[r:r + side, c:c + side].astype(float), y[r:r + side, c:c + side].astype(float)
            sx, sy, sxx, syy, sxy = a.sum(), b.sum(), (a * a).sum(), (b * b).sum(), (a * b).sum()
            if sewar:
                sx, sy, sxx, syy, sxy = (s / n for s in (sx, sy, sxx, syy, sxy))
            variances, squares = n * (sxx + syy) - sx * sx - sy * sy, sx * sx + sy * sy
            if variances == 0 and squares != 0:
                out[r, c] = 2 * sx * sy / squares
            if variances * squares != 0:
                out[r, c] = 4 * (n * sxy - sx * sy) * sx * sy / (variances * squares)
    return out

def mean(values):
    return values.mean() if values.size else np.nan

def scores(x, y, region):
    _, ssim = structural_similarity(x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True)
    wang, sewar = uqi_map(x, y, False), uqi_map(x, y, True)
    for name, where in region.items():
        a, b = x[where], y[where]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the PSNR of equal images divides by zero
            yield name, "mse", mean_squared_error(a, b) if a.size else np.nan
            yield name, "psnr", peak_signal_noise_ratio(a, b, data_range=255) if a.size else np.nan
        yield name, "ssim", mean(ssim[5:-5, 5:-5][where[5:-5, 5:-5]])
        yield name, "uqi", mean(wang[where[4:4 + wang.shape[0], 4:4 + wang.shape[1]]])
        yield name, "uqi_sewar", mean(sewar[where[4:4 + sewar.shape[0], 4:4 + sewar.shape[1]]])

def main():
    lines = []
    for size_name, size in SIZES.items():
        for kind in OUTPUTS:
            if size_name == "slice" and kind not in ("noise", "blank", "speckled"):
                continue
            x, y, mask = images(size, kind)
            case = f"{size_name}/{kind}"
            lines.append(f"{case} check {x.sum()} {y.sum()} {mask.sum()}")
            for region, metric, value in scores(x, y, regions(mask)):
                lines.append(f"{case} {region} {metric} {float(value)!r}")
            if "--check-sewar" in sys.argv:
                import sewar.full_ref
                theirs, ours = sewar.full_ref.uqi(x.astype(float), y.astype(float)), mean(uqi_map(x, y, True))
                print(f"{case}: sewar.uqi {theirs:.12f}, here {ours:.12f}")
                assert abs(theirs - ours) < 1e-12, case
    pathlib.Path(__file__).with_name("metrics.txt").write_text("\n".join(lines) + "\n")

if __name__ == "__main__":
    main()
