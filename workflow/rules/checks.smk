# What is looked at before the first job: nothing is started that would stop hours later.
from hyenadna.workflow import orphans

# Bytes that must be free where files are written; a disk with less is as good as full.
ROOM = 10**9


def check_before_jobs():
    """Refuse, before the first job starts, what would stop a later one."""
    jobs = list(workflow.dag.needrun_jobs())
    files = [Path(file) for job in jobs for file in [*job.output, *job.log]]
    try:
        preflight.hold(Path(".snakemake"))
        if workflow.touch:
            return
        check_downloads(jobs)
        preflight.check_folders(files, room=ROOM)
        if workflow.executor_plugin.name == "slurm":
            preflight.check_slurm(
                [
                    (job.rule.name, slurm_request(job))
                    for job in jobs
                    if not job.is_local
                ],
                profile="profiles/slurm/config.v8+.yaml",
            )
    except InputError as error:
        refuse(error)


def slurm_request(job):
    """Return the options of `sbatch` that decide whether Slurm takes a job."""
    options = {
        "partition": "slurm_partition",
        "account": "slurm_account",
        "qos": "qos",
        "constraint": "constraint",
        "time": "runtime",
        "mem": "mem_mb",
        "cpus-per-task": "cpus_per_task",
        "gpus": "gpu",
        "gres": "gres",
    }
    return {option: job.resources.get(key) for option, key in options.items()}


def cancel_orphans():
    """Cancel the jobs that a killed run has left in this folder; training saves, and goes on."""
    if workflow.executor_plugin.name != "slurm" or workflow.touch:
        return
    try:
        if left := orphans.cancel(Path.cwd()):
            logger.warning(f"Cancelled, as their run was killed: {' '.join(left)}")
    except InputError as error:
        refuse(error)
