"""``python -m modelopt_cli``."""

from modelopt_cli.main import main

main()
