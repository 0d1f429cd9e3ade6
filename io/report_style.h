// The style sheet of report.cpp.
#pragma once

#include <string_view>

namespace ipa {

inline constexpr std::string_view kReportStyle = R"(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1a2230;--muted:#667085;--rule:#e3e7ee;--accent:#0b6bcb;
--best:#0b6bcb14;--notice:#fff4d6;--notice-ink:#6b4a00;--s0:#0b6bcb;--s1:#d1571b;--s2:#1f8a5b;--s3:#9042b8;--s4:#b8860b;--s5:#c2255c}
@media (prefers-color-scheme:dark){:root{--page:#10141b;--card:#181e28;--ink:#e6eaf1;--muted:#98a4b7;--rule:#2a3342;
--accent:#6db3ff;--best:#6db3ff1f;--notice:#3a2f10;--notice-ink:#ffdf8c;--s0:#6db3ff;--s1:#ff9a62;--s2:#58cf99;--s3:#cf97f0;
--s4:#e8c04c;--s5:#ff7fa8}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 20px 56px}
h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:18px;margin:0 0 14px}
p{margin:0 0 12px}
.muted,footer{color:var(--muted)}
.notice{background:var(--notice);color:var(--notice-ink);border-radius:8px;padding:10px 16px;margin:18px 0;font-weight:600}
section{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:20px 22px;margin:18px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:14px;margin:18px 0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:16px 18px}
.tile b{display:block;font-size:26px;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.tile span{display:block}
.tile .muted{font-size:13px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:left;border-bottom:1px solid var(--rule);white-space:nowrap}
thead th{font-size:13px;font-weight:600;color:var(--muted)}
th.n,td.n{text-align:right}
tbody th{font-weight:500}
tr.region th{padding-top:16px;font-size:12px;font-weight:650;letter-spacing:.06em;text-transform:uppercase;color:var(--muted)}
td.best{background:var(--best);color:var(--accent);font-weight:650}
td small{color:var(--muted);font-weight:400;margin-left:.35em}
tbody tr:last-child>*{border-bottom:0}
.case+.case{border-top:1px solid var(--rule);margin-top:22px;padding-top:20px}
.case header{display:flex;flex-wrap:wrap;gap:6px 14px;align-items:baseline;margin-bottom:10px}
.rank{background:var(--best);color:var(--accent);border-radius:999px;padding:1px 11px;font-size:13px;font-weight:650}
.case dl{display:flex;flex-wrap:wrap;gap:2px 18px;margin:0;font-size:13px;font-variant-numeric:tabular-nums}
.case dl div{display:flex;gap:.4em}
dt{color:var(--muted)}
dd{margin:0;font-weight:600}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:10px}
.panels figure{margin:0;max-width:340px}
.panels img{display:block;width:100%;height:auto;border-radius:6px;background:#000}
figcaption{font-size:13px;color:var(--muted);margin-top:4px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:22px}
.chart{margin:0}
.chart figcaption{margin:0 0 4px;font-weight:600;color:var(--ink)}
.chart svg{display:block;width:100%;height:auto}
.chart text{fill:var(--muted);font-size:11.5px;font-variant-numeric:tabular-nums}
.chart text.y{text-anchor:end}.chart text.x{text-anchor:middle}
.grid{stroke:var(--rule)}
.line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}
.band{fill:currentColor;opacity:.16}.dot{fill:currentColor}
.key{margin-left:14px;font-weight:500;font-size:13px}
.key::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;background:currentColor;margin-right:6px;vertical-align:middle}
.s0{color:var(--s0)}.s1{color:var(--s1)}.s2{color:var(--s2)}.s3{color:var(--s3)}.s4{color:var(--s4)}.s5{color:var(--s5)}
.settings{columns:2 380px;column-gap:36px;margin:0;font-size:13.5px}
.settings div{display:flex;justify-content:space-between;gap:16px;padding:3px 0;border-bottom:1px solid var(--rule);break-inside:avoid}
.settings dd{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-weight:500;text-align:right;overflow-wrap:anywhere}
footer{font-size:13px;margin-top:24px;overflow-wrap:anywhere}
@media print{body{background:#fff}section,.tile,.case{break-inside:avoid}}
)";

}  // namespace ipa
