"""``python -m cli`` in a checkout."""

from modelopt_cli.main import main

main()
