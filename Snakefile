# Entry point of a checkout; all rules are in workflow/, which is also what `module:` uses.


include: "workflow/Snakefile"


# An included file keeps its rules but loses its default target.
rule default:
    default_target: True
    input:
        rules.all.input,
    localrule: True
