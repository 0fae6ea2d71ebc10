"""Result rows and the paper's record in; tables, figures and one page out."""
