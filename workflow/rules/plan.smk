# What a run will take, told before it starts; above a limit it is asked for.
import atexit
import shutil
import sys

from snakemake.io import strip_wildcard_constraints

from hyenadna.workflow.forecast import Finished, Forecast, PlannedJob


def planned(job):
    """Return a job of Snakemake as the forecast knows it."""
    minutes = job.resources.get("runtime")
    return PlannedJob(
        job.rule.name,
        job.wildcards_dict,
        gpus=job.resources.get("gpu", 0),
        minutes=minutes if isinstance(minutes, int) else math.nan,
        benchmark=strip_wildcard_constraints(job.rule.benchmark or ""),
        outputs=dict(zip(job.output, map(strip_wildcard_constraints, job.rule.output))),
    )


def sizes_by_path():
    """Return the bytes of files from the network, where the tables say them."""
    return {str(of.target): of.bytes for of in sources().values() if of.bytes}


def forecast():
    """Return what the jobs that are to run will take."""
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    return Forecast.of(
        [planned(job) for job in jobs if job.output],
        Finished(Path(), sizes_by_path()),
    )


def ask_first():
    """Show what the run will take; above the limit go on only if that is what is wanted."""
    if workflow.touch:
        return
    what = forecast()
    logger.info(what.table(shutil.disk_usage(".").free))
    limit = config["ask_above_gpu_hours"]
    if what.gpu_hours <= limit:
        return
    hours = f"this run may take {what.gpu_hours:,.0f} GPU-hours"
    if sys.stdin.isatty():
        # Not `input`, which Snakemake takes for the directive.
        print(f"{hours}; start it? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
        refuse("nothing was started")
    refuse(
        f"{hours}, more than the {limit:,} of ask_above_gpu_hours, and there is no terminal to ask "
        f"on; raise that key, or add: --config ask_above_gpu_hours={math.ceil(what.gpu_hours)}"
    )


def show_dry_run():
    """Show what the run will take after a dry run, which no hook of Snakemake is called in."""
    if workflow.dryrun and workflow.scheduler:
        print(forecast().table(shutil.disk_usage(".").free))


atexit.register(show_dry_run)
