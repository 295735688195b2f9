"""The multi-label chromatin set: cell types of REMO elements on 1,000-bp windows."""

import io
import re
from pathlib import Path

import pandas as pd

from .genomes import CONTIG, HUMAN
from .sequences import write_csv
from .sources import REMOPY, read
from .windows import Mask, free_windows, is_inside, of_split

LENGTH = 1_000
CHROMOSOME_NUMBER = 19  # of chr20: the published format counts chromosomes from 0
FILES = {"train": "train", "valid": "val", "test": "test"}
LEAST_POSITIVES = {"train": 20, "valid": 5, "test": 5}


def write_chromatin(out: Path, chr20: str, downloads: Path) -> None:
    """Write windows centred on REMO elements, and every tile that no element touches.

    Labels are the cell types of the element in the centre, of which those are kept that have
    enough elements in each split; `y_REMO_element` tells the centred windows from the tiles.
    """
    elements = _read_elements(downloads)
    starts = (elements["start"] + elements["end"]) // 2 - LENGTH // 2
    cell_types = _cell_types(elements["module"], downloads)
    inside = {split: _is_inside(starts, split) for split in FILES}
    kept = [
        name
        for name, labels in cell_types.items()
        if all(labels[inside[split]].sum() >= least for split, least in LEAST_POSITIVES.items())
    ]
    mask = Mask(len(chr20), zip(elements["start"], elements["end"], strict=True))
    for split, file in FILES.items():
        tiles = free_windows(chr20, of_split(HUMAN, split), length=LENGTH, slot=LENGTH, mask=mask)
        on_element = cell_types.loc[inside[split], kept].assign(y_REMO_element=1, Start=starts)
        off_element = pd.DataFrame({"Start": [tile.start for tile in tiles]})
        table = pd.concat([on_element, off_element]).fillna(0).astype(int)
        table = table.assign(Chr_No=CHROMOSOME_NUMBER, End=table["Start"] + LENGTH)
        table = table.sort_values("Start", kind="stable")
        columns = ["Chr_No", "Start", "End", "y_REMO_element", *kept]
        write_csv(out / f"{file}_hg38_coords_targets.csv.gz", table[columns])


def _is_inside(starts: pd.Series, split: str) -> pd.Series:
    intervals = of_split(HUMAN, split)
    return starts.map(lambda start: is_inside(start, start + LENGTH, intervals))


def _read_elements(downloads: Path) -> pd.DataFrame:
    """Return the elements of chr20 by position: start, end, module."""
    content = io.BytesIO(read(REMOPY, downloads, REMOPY.files[0]))
    table = pd.read_csv(content, sep="\t", names=["contig", "start", "end", "module"])
    return table[table["contig"] == CONTIG].sort_values(["start", "end"])


def _cell_types(modules: pd.Series, downloads: Path) -> pd.DataFrame:
    """Return a 0/1 column for each cell type, (N, K), from the names that modules carry."""
    content = io.BytesIO(read(REMOPY, downloads, REMOPY.files[1]))
    names = pd.read_parquet(content, columns=["REMO", "CL"]).set_index("REMO")["CL"]
    table = modules.map(names).str.get_dummies(sep=" | ")
    return table.drop(columns="", errors="ignore").rename(columns=_column)


def _column(cell_type: str) -> str:
    return "y_REMO_" + re.sub("[^A-Za-z0-9]+", "_", cell_type).strip("_")
