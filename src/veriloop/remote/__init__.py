"""One client for every service over HTTP: judges, writers of text, and verifiers of a user's own.

``service`` says where a service is and how patiently it is asked, ``client`` asks. ``completions`` reads
what a language model's server answers, ``objects`` finds the verdict in a reply; ``llm`` adds the cache, the
budget and the ways to ask for JSON, ``writing`` asks for texts. Only ``client`` knows httpx.
"""
