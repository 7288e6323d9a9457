"""Operations on pictures and mattes that know nothing of engines, settings or threads."""
