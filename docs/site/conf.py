"""How Sphinx renders an edition of the site; `build.py` beside it says which one, and of what."""

# What `build.py` sets for each edition with `-D`.
language = "en"
project = "ocrkit"
copyright = "The ocrkit contributors, Apache-2.0"

extensions = ["myst_nb"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_all_links_external = (
    True  # `build.py` has made addresses of them, and checks them in the pages
)
nb_execution_mode = "off"  # the pages show the outputs that are committed
nb_merge_streams = True  # what a cell prints is one box, however it arrived
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
mathjax_path = "mathjax/tex-chtml.js"  # `build.py` copies it
templates_path = ["templates"]
html_theme_options = {
    "article_header_end": ["other_edition.html", "article-header-buttons.html"],
    "use_download_button": False,
    "show_toc_level": 2,
}


def add_switch(app, page, template, context, doctree):
    """Tell a page where its other edition is; the front page, where it has none."""
    english = app.config.language == "en"
    there = page if page in app.config.korean_pages.split() else "index"
    up = "../" * (page.count("/") + (not english))
    context["other_edition"] = f"{up}{'ko/' if english else ''}{there}.html"
    context["other_language"] = "한국어" if english else "English"


def add_repository(app, config):
    """Ways to the repository and to machines that run notebooks, if its address is known."""
    if config.repository:
        config.html_theme_options |= {
            "repository_url": config.repository,
            "repository_branch": "main",
            "path_to_docs": "notebooks" + ("/ko" if config.language == "ko" else ""),
            "use_repository_button": True,
            "launch_buttons": {
                "colab_url": "https://colab.research.google.com",
                "binderhub_url": "https://mybinder.org",
            },
        }


def setup(app):
    """Register the settings and hooks above."""
    app.add_config_value("korean_pages", "", "html")
    app.add_config_value("repository", "", "html")
    app.connect("config-inited", add_repository, priority=1)  # before the theme reads its options
    app.connect("html-page-context", add_switch)
