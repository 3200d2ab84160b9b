"""One client for all services over HTTP: judges, text generators, and users' verifiers.

``service`` defines where a service is and how often it is retried, and ``client`` sends the requests.
``completions`` parses the replies of a language model's server, ``objects`` finds the verdict in a reply;
``llm`` adds the cache, the budget and the ways to ask for JSON, and ``writing`` asks for texts. Only
``client`` uses httpx.
"""
