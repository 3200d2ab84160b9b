"""What the language-model learner is made of; its public face is :mod:`veriloop.learners.causal_lm`."""
