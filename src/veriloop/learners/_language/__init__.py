"""Internals of the language-model learner; the public interface is :mod:`veriloop.learners.causal_lm`."""
