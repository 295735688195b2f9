# Where Snakemake's report has the figures and tables of the page, and under which titles.


@functools.cache
def shown(folder):
    """Return what the page says of the files in a folder, by their path without its ending.

    Without `<`: Snakemake's report has names within a script, as they are, which `</` could end.
    """
    with open(f"results/{folder}/index.tsv", newline="") as file:
        text = file.read().replace("<", "‹")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["file"]: row for row in rows}


def place(folder, column):
    """Return a function that looks up the category or the group of a figure or a table."""

    def look_up(wildcards):
        return shown(folder)[f"{wildcards.section}/{wildcards.name}"][column]

    return look_up


def title(folder):
    """Return a function that labels a figure or a table.

    With its title alone: of two labels Snakemake's report may take one for a switch, and then fail
    where one side of it has no file.
    """
    of = place(folder, "title")
    return lambda wildcards: {"title": of(wildcards)}
