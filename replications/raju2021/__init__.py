"""raju2021: Raju, Gaus and Breckon, three recurrent attention networks for emotion across cultures (AVEC 2019)."""
