"""The report page's look."""

CSS = """
:root { --ink: #222; --faint: #666; --line: #d8d8d8; --blue: #0072b2; }
body { margin: 0; color: var(--ink); background: #fff; line-height: 1.55; font-size: 16px;
  font-family: "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", system-ui,
  sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0.5rem 0; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 0.6rem; padding-top: 0.6rem;
  border-top: 2px solid var(--blue); }
p, li { max-width: 78ch; }
nav { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; font-size: 0.9rem; }
a { color: var(--blue); }
.warning { padding: 0.6rem 0.9rem; border-left: 4px solid #d55e00; background: #fdf1e7; }
.none { color: var(--faint); margin: 0.3rem 0; }
figure { margin: 1.2rem 0 1.6rem; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { color: var(--faint); font-size: 0.9rem; margin: 0.35rem 0; }
.table figcaption { color: var(--ink); font-weight: 600; }
.table > div { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.24rem 0.7rem; text-align: left; vertical-align: top; }
td.num, th.num { text-align: right; white-space: nowrap; }
td:first-child, td:nth-child(2) { white-space: nowrap; }
td.prose { white-space: normal; min-width: 11em; }
thead th { border-bottom: 1px solid var(--ink); vertical-align: bottom; line-height: 1.25; }
th.group { text-align: center; border-bottom: 0; color: var(--blue); }
tbody tr + tr td { border-top: 1px solid var(--line); }
tbody tr:hover td { background: #f3f8fb; }
td.best { font-weight: 700; color: var(--blue); }
@media print { nav { display: none; } figure { break-inside: avoid; } }
"""
