"""The style sheet of the page: system fonts, light and dark, one column on a phone."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #fff; --ink: #1b1f27; --soft: #5b6472; --line: #dfe3e8;
  --good: #11743f; --good-bg: #e3f5ea; --bad: #b3261e; --bad-bg: #fdeceb;
  --warn: #8a5200; --warn-bg: #fdf1dd; --busy: #1d5fb8; --busy-bg: #e6effb;
  --up: #27a567; --unready: #9adbb6; --starting: #f0b429; --old: #9aa5b4; --code: #f0f2f5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #111419; --card: #1a1f26; --ink: #e7eaef; --soft: #9ba6b4; --line: #2e3640;
    --good: #5ed28f; --good-bg: #12301f; --bad: #ff8f87; --bad-bg: #3a1816;
    --warn: #f5bd5c; --warn-bg: #362609; --busy: #82b4f7; --busy-bg: #14253c;
    --up: #35b877; --unready: #1c6340; --starting: #e0a324; --old: #667282; --code: #11151a;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 60rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 1.25rem 1.5rem; margin-bottom: 1rem; overflow-wrap: anywhere; }
header { border-top: 6px solid var(--status); }
.good { --status: var(--good); --status-bg: var(--good-bg); }
.bad { --status: var(--bad); --status-bg: var(--bad-bg); }
.warn { --status: var(--warn); --status-bg: var(--warn-bg); }
.busy { --status: var(--busy); --status-bg: var(--busy-bg); }
.outcome { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; margin: 0;
  color: var(--status); font-weight: 600; }
.symbol { display: grid; place-items: center; width: 1.9rem; height: 1.9rem; border-radius: 50%;
  background: var(--status-bg); }
h1 { margin: .4rem 0 .2rem; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 0 0 .6rem; font-size: 1.15rem; }
small { color: var(--soft); font-weight: 400; font-size: .82rem; }
h2 small { margin-left: .5rem; }
.summary { margin: .3rem 0 1rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(10rem, 45%), 1fr));
  gap: .6rem 1rem; margin: 0; padding-top: .9rem; border-top: 1px solid var(--line); }
dt { color: var(--soft); font-size: .78rem; }
dd { margin: 0; font-size: .92rem; }
a { color: var(--busy); }
code, pre, del, ins { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  font-size: .88em; }
.diff { border-radius: 8px; overflow: hidden; margin-bottom: .8rem; }
.diff p { margin: 0; padding: .35rem .7rem; background: var(--code); }
.diff p:has(del) { background: var(--bad-bg); }
.diff p:has(ins) { background: var(--good-bg); }
.diff del { color: var(--bad); text-decoration: none; }
.diff ins { color: var(--good); text-decoration: none; }
.sign { display: inline-block; width: 1.3rem; color: var(--soft); }
.message { display: grid; grid-template-columns: 5.5rem 1fr; margin: .3rem 0; }
.message b { color: var(--soft); font-weight: 500; }
.message.bad { color: var(--bad); }
.message.good { color: var(--good); }
figure { margin: 1.1rem 0 0; }
figcaption { color: var(--soft); font-size: .85rem; margin-bottom: .7rem; }
.chart { display: grid; grid-template-columns: 1.6rem 1fr; }
.chart svg { display: block; grid-column: 2; background: var(--code); border-radius: 6px; }
.levels { position: relative; grid-row: 1; }
.levels span { position: absolute; right: .5rem; transform: translateY(50%); }
.ticks { position: relative; grid-column: 2; height: 1.4rem; }
.ticks span { position: absolute; top: .2rem; white-space: nowrap; transform: translateX(-50%); }
.ticks span:first-child { transform: none; }
.levels, .ticks { color: var(--soft); font-size: .75rem; font-variant-numeric: tabular-nums; }
.level { stroke: var(--line); stroke-width: 1; }
rect.up, rect.ready { fill: var(--up); } rect.unready { fill: var(--unready); }
rect.starting { fill: var(--starting); } rect.old { fill: var(--old); }
.marks { position: relative; grid-column: 2; height: .6rem; margin-top: .25rem; }
.marks i { position: absolute; width: .5rem; height: .5rem; border-radius: 50%;
  transform: translateX(-50%); background: var(--soft); }
.marks .alarm { background: var(--bad); z-index: 1; }
.events { list-style: none; margin: .6rem 0; padding: 0; font-size: .85rem; }
.events li { display: grid; grid-template-columns: 4rem 1fr; padding: .25rem 0;
  border-top: 1px solid var(--line); }
.events .moment { color: var(--soft); font-variant-numeric: tabular-nums; }
.events .alarm b { color: var(--bad); }
.events p { margin: 0; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .5rem 0 .3rem; padding: 0;
  list-style: none; font-size: .85rem; color: var(--soft); }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 3px;
  margin-right: .4rem; vertical-align: -1px; }
i.up, i.ready { background: var(--up); } i.unready { background: var(--unready); }
i.starting { background: var(--starting); } i.old { background: var(--old); }
.legend b { color: var(--ink); }
details summary { cursor: pointer; color: var(--soft); font-size: .85rem; }
.test { border-top: 1px solid var(--line); padding: .5rem 0; }
.test summary { display: flex; flex-wrap: wrap; gap: .2rem .6rem; color: var(--ink);
  font-size: 1rem; }
.test summary .good, .test summary .bad { color: var(--status); }
.test summary small { margin-left: auto; }
.subject { margin: .4rem 0; color: var(--soft); }
.wide { overflow-x: auto; }
pre { margin: .5rem 0 0; padding: .8rem; max-height: 26rem; overflow: auto; background: var(--code);
  border: 1px solid var(--line); border-radius: 8px; line-height: 1.45; white-space: pre-wrap; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem 1rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line);
  font-weight: 400; }
footer { color: var(--soft); font-size: .8rem; text-align: center; padding: .5rem; }
@media (max-width: 36rem) {
  body { padding: .6rem; }
  header, section { padding: .9rem 1rem; border-radius: 10px; }
  h1 { font-size: 1.4rem; }
  .message { grid-template-columns: 1fr; }
}
@media print { body { max-width: none; } pre { max-height: none; } }
"""
