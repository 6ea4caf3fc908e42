"""What can be done from the command line: one file for each command, or for those of one thing."""

from commands.embed_token import embed_token
from commands.rollup import compact, install, uninstall, verify
from commands.seed import seed
from commands.serve import serve

COMMANDS = (serve, seed, embed_token, install, compact, verify, uninstall)
