"""Parallel corpora: read, normalise, index, search; how well a sentence is covered; how good a translation is.

    corpus = library.open_corpus("invented")
    cover = corpus.cover("the old woman sees the river", source="English", target="Selvan", seed=0)
    cover.coverage, [fragment.text for fragment in cover.fragments]

Knows files, words and scores. Does not know any model, strategy, session or database; a strategy gets a corpus through its session
and sees no file. Importing this package imports none of its modules.
"""
