"""Python of a user's own, in a process that can do nothing but compute.

    language     what a text may say; compiles it                  (here)
    limits       CPU, memory and guards, from the environment      (here)
    syscalls     the system calls a child may make                 (here)
    process      starts a child, hands it records, takes results   (here)
    wire, tagged how values travel                                 (both sides)
    child_*      what runs in the child: guards, names, values

Nothing here knows transforms, Arrow or DuckDB. The child imports the standard
library only; what comes back from it is data that nobody trusts, never code.
"""
