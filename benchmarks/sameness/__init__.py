"""Two commits give the same answers: ``python -m benchmarks.sameness BEFORE [AFTER]``.

Each commit is checked out into a temporary directory (without AFTER: the working tree as it is) and
started there as it starts itself, on a copy of one demo database. Both are asked the same questions
about the same "now", under several settings, with and without the rollup; whatever they answer
differently is shown, and the command then ends with status 1. A JSON key that was renamed on
purpose is passed over by ``--renamed OLD=NEW``, what a regular expression finds in the body of an
answer by ``--dropped PATTERN``.

Modules of the product may move as they like: nothing here imports them. What has to stay is
``python app.py`` with ``seed``, ``serve``, ``install``, ``uninstall`` and ``embed-token``, and that
``serve`` gives gunicorn its application.
"""
