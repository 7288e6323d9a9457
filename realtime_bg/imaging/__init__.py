"""Operations on pictures and mattes that are independent of engines, settings and threads."""
