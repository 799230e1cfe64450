// Charts: paints the JSON that stands beside each [data-chart], also of parts that come later. Colours and font come
// from the stylesheet's tokens. Without ECharts the figures below the chart open instead.
(() => {
  const placesIn = part => [...part.querySelectorAll('[data-chart]')];
  if (!window.echarts) {
    const open = part => { for (const place of placesIn(part)) { place.hidden = true; place.parentElement.querySelectorAll('details').forEach(d => { d.open = true; }); } };
    open(document);
    document.addEventListener('htmx:load', event => open(event.detail.elt));
    return;
  }
  const probe = document.body.appendChild(document.createElement('i'));
  const css = name => { probe.style.color = `var(--pn-${name})`; return getComputedStyle(probe).color; };
  const charts = [];

  const paint = place => {
    const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const font = { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 };
    const axis = {
      axisLine: { lineStyle: { color: css('line-2') } }, axisTick: { show: false },
      axisLabel: { ...font, color: css('ink-3') }, splitLine: { lineStyle: { color: css('line') } },
    };
    // Rich text is drawn, not inserted: the page's content security policy allows no inline style.
    const tooltip = {
      trigger: 'axis', renderMode: 'richText', backgroundColor: css('raised'), borderColor: css('line-2'), borderWidth: 1,
      textStyle: { ...font, color: css('ink') }, axisPointer: { type: 'line', lineStyle: { color: css('line-2') } },
    };
    const option = { spend, health, bars, curve, calibration, bands, stack }[data.kind](data, { css, font, axis, tooltip });
    const chart = echarts.getInstanceByDom(place) || echarts.init(place, null, { renderer: 'canvas' });
    chart.setOption({ animation: false, textStyle: font, ...option }, true);
    charts.push(chart);
  };

  const spend = (data, { css, font, axis, tooltip }) => ({
    tooltip: { ...tooltip, formatter: ([p]) => `${data.labels[p.dataIndex]}  ${p.value} ${data.unit}` },
    grid: { left: 44, right: 4, top: data.marks.some(Boolean) ? 28 : 12, bottom: 36 },
    xAxis: { type: 'category', data: data.labels, ...axis, splitLine: { show: false },
      axisLabel: { ...font, color: css('ink-3'), interval: 0, formatter: (_, i) => data.ticks[i] } },
    yAxis: { type: 'value', ...axis, axisLine: { show: false }, splitNumber: 3 },
    series: [{ type: 'bar', barWidth: '62%', itemStyle: { color: css('series-3'), borderRadius: [2, 2, 0, 0] },
      data: data.values.map((value, i) => data.marks[i] ? { value, itemStyle: { color: css('series-1') },
        label: { show: true, position: 'top', formatter: data.marks[i], ...font, fontSize: 11, fontWeight: 700,
          color: css('surface'), backgroundColor: css('ink'), borderRadius: 4, padding: [3, 5] } } : value) }],
  });

  const health = (data, { css, font, axis, tooltip }) => ({
    tooltip: { ...tooltip, formatter: ([p]) => `${data.labels[p.value[0]] || ''}  ${p.value[1]}` },
    grid: { left: 24, right: 10, top: 8, bottom: 22 },
    xAxis: { type: 'time', ...axis, splitLine: { show: false }, axisLabel: { ...font, color: css('ink-3'), hideOverlap: true,
      showMinLabel: true, showMaxLabel: true, alignMinLabel: 'left', alignMaxLabel: 'right',
      customValues: data.points.length ? [data.points[0][0], data.points.at(-1)[0]] : undefined,
      formatter: value => data.labels[new Date(value - new Date(value).getTimezoneOffset() * 60000).toISOString().slice(0, 10)] || '' } },
    yAxis: { type: 'value', min: 0, max: 100, ...axis, axisLine: { show: false }, axisLabel: { show: false }, splitLine: { show: false } },
    series: [{ type: 'line', data: data.points, symbol: 'none', lineStyle: { color: css('ink'), width: 1.75 },
      markLine: { silent: true, symbol: 'none', label: { position: 'start', ...font, color: css('ink-3'), formatter: '{c}' },
        lineStyle: { type: [3, 3], color: css('line-2') }, data: data.lines.map(y => ({ yAxis: y })) },
      markPoint: { symbol: { red: 'diamond', yellow: 'triangle' }[data.band] || 'circle', symbolSize: 9, label: { show: false },
        itemStyle: { color: css(data.band) }, data: data.points.length ? [{ coord: data.points.at(-1) }] : [] } }],
  });

  // Customers by colour, stacked: the shapes and numbers stand in the legend beside it, so that colour is never alone.
  const bands = (data, { css, font, axis, tooltip }) => ({
    tooltip: { ...tooltip, axisPointer: { type: 'shadow', shadowStyle: { color: css('hover'), opacity: .5 } },
      formatter: points => [data.labels[points[0].dataIndex],
        ...[...points].reverse().map(p => `${p.seriesName}  ${p.value}`)].join('\n') },
    grid: { left: 44, right: 4, top: 10, bottom: 26 },
    xAxis: { type: 'category', data: data.labels, ...axis, splitLine: { show: false },
      axisLabel: { ...font, color: css('ink-3'), interval: i => (data.labels.length - 1 - i) % 4 === 0 } },
    yAxis: { type: 'value', ...axis, axisLine: { show: false }, splitNumber: 3, minInterval: 1 },
    series: data.series.map(each => ({ name: each.name, type: 'bar', stack: 'health', barWidth: '68%', barMaxWidth: 40, data: each.values,
      itemStyle: { color: css(each.band), opacity: { red: 1, yellow: .7, green: .5, none: .35 }[each.band], borderColor: css('surface'), borderWidth: 1 } })),
  });

  // Counts by class: one hue and grey, the sum above each bar.
  const stack = (data, { css, font, axis, tooltip }) => ({
    tooltip: { ...tooltip, axisPointer: { type: 'shadow', shadowStyle: { color: css('hover'), opacity: .5 } },
      formatter: points => [data.labels[points[0].dataIndex], ...[...points].reverse().map(p => `${p.seriesName}  ${p.value}`)].join('\n') },
    grid: { left: 28, right: 4, top: 22, bottom: 26 },
    xAxis: { type: 'category', data: data.labels, ...axis, splitLine: { show: false }, axisLabel: { ...font, color: css('ink-3'), hideOverlap: true, interval: 0 } },
    yAxis: { type: 'value', ...axis, axisLine: { show: false }, splitNumber: 3, minInterval: 1 },
    series: data.series.map((each, at) => ({ name: each.name, type: 'bar', stack: 'all', barWidth: '56%', barMaxWidth: 48, data: each.values,
      itemStyle: { color: css(`series-${at + 1}`), borderColor: css('surface'), borderWidth: .5 },
      label: at === data.series.length - 1 ? { show: true, position: 'top', ...font, fontWeight: 600, color: css('ink'), formatter: p => data.totals[p.dataIndex] || '' } : { show: false } })),
  });

  const bars = (data, { css, font, axis, tooltip }) => ({
    tooltip: { ...tooltip, formatter: ([p]) => `${data.labels[p.dataIndex]}  ${p.value ?? '–'} ${data.unit}` },
    grid: { left: 44, right: 4, top: 12, bottom: 36 },
    xAxis: { type: 'category', data: data.labels, ...axis, splitLine: { show: false },
      axisLabel: { ...font, color: css('ink-3'), interval: 0, hideOverlap: true, formatter: (_, i) => data.ticks[i] } },
    yAxis: { type: 'value', ...axis, axisLine: { show: false }, splitNumber: 3 },
    series: [{ type: 'bar', barWidth: '62%', itemStyle: { color: css('series-3'), borderRadius: [2, 2, 0, 0] }, data: data.values,
      markLine: data.line === undefined ? undefined : { silent: true, symbol: 'none', lineStyle: { type: [4, 3], color: css('ink') },
        label: { position: 'insideEndTop', ...font, color: css('ink'), formatter: `{c} ${data.unit}` }, data: [{ yAxis: data.line }] } }],
  });

  const curve = (data, { css, font, axis, tooltip }) => ({
    tooltip: { ...tooltip, formatter: ([p]) => `${p.value[0]}% ${data.x}  ${p.value[1]}% ${data.y}` },
    grid: { left: 40, right: 16, top: 12, bottom: 28 },
    xAxis: { type: 'value', min: 0, max: 100, ...axis, splitLine: { show: false }, axisLabel: { ...font, color: css('ink-3'), formatter: '{value}%' } },
    yAxis: { type: 'value', min: 0, max: 100, ...axis, axisLine: { show: false }, axisLabel: { ...font, color: css('ink-3'), formatter: '{value}%' } },
    series: [{ type: 'line', data: data.points, symbol: 'none', lineStyle: { color: css('ink'), width: 1.75 },
      markPoint: { symbol: 'circle', symbolSize: 9, label: { show: false }, itemStyle: { color: css('accent') }, data: [{ coord: data.mark }] } }],
  });

  const calibration = (data, { css, font, axis, tooltip }) => ({
    tooltip: { ...tooltip, trigger: 'item', formatter: p => `${p.value[0]}% ${data.x}  ${p.value[1]}% ${data.y}` },
    grid: { left: 48, right: 28, top: 12, bottom: 28 },
    xAxis: { type: 'value', min: 0, max: 100, ...axis, splitLine: { show: false }, axisLabel: { ...font, color: css('ink-3'), formatter: '{value}%' } },
    yAxis: { type: 'value', min: 0, max: 100, ...axis, axisLine: { show: false }, axisLabel: { ...font, color: css('ink-3'), formatter: '{value}%' } },
    series: [
      { type: 'line', data: [[0, 0], [100, 100]], symbol: 'none', silent: true, tooltip: { show: false }, lineStyle: { type: [4, 3], color: css('line-2'), width: 1.5 } },
      { type: 'line', data: data.points, symbol: 'circle', symbolSize: 8, itemStyle: { color: css('accent') }, lineStyle: { color: css('ink'), width: 1.75 } },
    ],
  });

  const paintAll = () => { charts.length = 0; placesIn(document).forEach(paint); };
  document.fonts.ready.then(() => {
    paintAll();
    document.addEventListener('htmx:load', event => placesIn(event.detail.elt).forEach(paint));
  });
  addEventListener('resize', () => charts.forEach(chart => chart.resize()));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paintAll);
})();
