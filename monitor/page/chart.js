/* chart.js -- pictures and their text alternatives. Colours are the page's variables, so charts follow light and
 * dark. Every picture is a figure: the drawing, a caption, and the same figures as a table. */
'use strict';

const Chart = (() => {
	const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const live = []; /* drawn charts of this view: released when the view changes */

	function el(name, attributes, ...children) {
		const e = document.createElement(name);
		for (const [key, value] of Object.entries(attributes || {})) {
			if (value === null || value === undefined || value === false) continue;
			if (key === 'class') e.className = value;
			else if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
			else e.setAttribute(key, value === true ? '' : value);
		}
		for (const c of children.flat())
			if (c !== null && c !== undefined) e.append(c);
		return e;
	}

	function svg(name, attributes, ...children) {
		const e = document.createElementNS('http://www.w3.org/2000/svg', name);
		for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
		for (const c of children) e.append(c);
		return e;
	}

	/* 3 significant digits, as people read them; the exact value stays in data-value. */
	function text(x) {
		if (x === null || x === undefined || Number.isNaN(x)) return '';
		if (typeof x !== 'number') return String(x);
		if (Number.isInteger(x) && Math.abs(x) < 1e15) return x.toLocaleString('en');
		const size = Math.abs(x);
		if (size >= 1e6 || size < 1e-4) return x.toExponential(2);
		return size >= 1000 ? Math.round(x).toLocaleString('en') : String(Number(x.toPrecision(3)));
	}

	const time = ms => new Date(ms).toISOString().replace('T', ' ').slice(0, 16);

	function table(columns, rows, caption) {
		return el('details', {}, el('summary', {}, 'The same as a table'), el('div', {}, el('table', {},
			el('caption', {}, caption),
			el('thead', {}, el('tr', {}, columns.map(c => el('th', { scope: 'col' }, c)))),
			el('tbody', {}, rows.map(r => el('tr', {}, r.map(v => el('td', {
				class: typeof v === 'number' ? 'number' : null,
				'data-value': typeof v === 'number' ? v : null,
			}, text(v)))))))));
	}

	function figure(drawing, caption, alternative) {
		drawing.setAttribute('role', 'img');
		drawing.setAttribute('aria-label', caption);
		return el('figure', {}, drawing, el('figcaption', {}, caption), alternative);
	}

	/* Lines over time. series: [{name, values: [number|null], band: [[low, high]...] or absent}];
	 * marks: [{ms, text}] as vertical lines; level: a horizontal line. */
	function lines(caption, ms, series, options) {
		const o = Object.assign({ marks: [], level: null, range: null, log: false }, options);
		const banded = series.some(s => s.band);
		const rows = ms.map((t, i) => [new Date(t), ...series.map(s => {
			const y = s.values[i] === undefined ? null : s.values[i];
			if (!banded) return y;
			const b = s.band && s.band[i];
			return y === null ? [null, null, null] :
				b && b[0] !== null && b[1] !== null ? [b[0], y, b[1]] : [y, y, y];
		})]);
		const box = el('div', { class: 'chart' });
		const alternative = table(['time (UTC)', ...series.flatMap(s => s.band ? [s.name, 'low', 'high'] : [s.name])],
			ms.map((t, i) => [time(t), ...series.flatMap(s => s.band ?
				[s.values[i], s.band[i][0], s.band[i][1]] : [s.values[i]])]), caption);
		const result = figure(box, caption, alternative);
		if (!ms.length) {
			box.replaceWith(el('p', { class: 'note' }, 'Nothing yet.'));
			return result;
		}
		/* a constant fills no axis by itself */
		const seen = series.flatMap(s => s.values).filter(v => v !== null && v !== undefined);
		const low = Math.min(...seen), high = Math.max(...seen), size = Math.max(Math.abs(low), Math.abs(high), 1e-12);
		if (!banded && !o.range && high - low < 1e-3 * size) o.range = [low - size * 0.1, high + size * 0.1];
		requestAnimationFrame(() => live.push(new Dygraph(box, rows, {
			labels: ['time', ...series.map(s => s.name)],
			customBars: banded, labelsUTC: true, legend: 'follow', animatedZooms: false, connectSeparatedPoints: true,
			drawPoints: ms.length < 40, pointSize: 2, strokeWidth: 1.5, fillAlpha: 0.2, valueRange: o.range, logscale: o.log,
			colors: [css('--accent'), css('--warn'), css('--good')], gridLineColor: css('--line'),
			axisLineColor: css('--line'), axisLabelFontSize: 12,
			underlayCallback: (context, area, g) => {
				context.save();
				if (o.level !== null) {
					const y = g.toDomYCoord(o.level);
					context.strokeStyle = css('--bad');
					context.setLineDash([5, 4]);
					context.beginPath();
					context.moveTo(area.x, y);
					context.lineTo(area.x + area.w, y);
					context.stroke();
				}
				context.setLineDash([]);
				context.strokeStyle = css('--bad');
				for (const m of o.marks) {
					const x = g.toDomXCoord(m.ms);
					context.beginPath();
					context.moveTo(x, area.y);
					context.lineTo(x, area.y + area.h);
					context.stroke();
				}
				context.restore();
			},
		})));
		return result;
	}

	/* Two distributions over the same cells, as shares. names: of the cells. */
	function bars(caption, names, reference, current) {
		const width = 720, height = 200, n = names.length, step = width / Math.max(n, 1);
		const share = list => { const sum = list.reduce((a, b) => a + b, 0) || 1; return list.map(x => x / sum); };
		const a = share(reference), b = current ? share(current) : null;
		const top = Math.max(1e-9, ...a, ...(b || []));
		const picture = svg('svg', { viewBox: `0 0 ${width} ${height + 18}` });
		names.forEach((name, i) => {
			const bar = (value, at, colour) => picture.append(svg('rect', {
				x: i * step + at, width: Math.max(1, step * 0.4), y: height - value / top * (height - 10),
				height: value / top * (height - 10), fill: colour }));
			bar(a[i], step * 0.08, css('--reference'));
			if (b) bar(b[i], step * 0.52, css('--accent'));
			if (n <= 12 || i % Math.ceil(n / 8) === 0) {
				const label = svg('text', { x: i * step, y: height + 13 });
				label.textContent = name.length > 12 ? name.slice(0, 11) + '…' : name;
				picture.append(label);
			}
		});
		return figure(picture, caption, table(['cell', 'reference share', 'latest window share'],
			names.map((name, i) => [name, a[i], b ? b[i] : null]), caption));
	}

	/* Rows of streams over spans of time; value: share of the threshold. */
	function heat(caption, columns, rows, link) {
		const body = rows.map(r => el('tr', {}, el('th', { scope: 'row', title: r.name }, link(r)),
			columns.map(ms => {
				const v = r.at.get(ms);
				return el('td', { title: v === undefined ? null : `${r.name}, ${time(ms)}: ${text(v)}` },
					v === undefined || v === null ? null :
						el('i', { class: v >= 1 ? 'over' : null, style: `opacity:${Math.min(1, 0.06 + 0.94 * v)}` }));
			})));
		const grid = el('table', { class: 'heat' }, el('tbody', {}, body));
		return el('figure', {}, grid, el('figcaption', {}, caption),
			table(['stream', 'highest share', 'when (UTC)'], rows.map(r => {
				let best = null, when = null;
				for (const [ms, v] of r.at) if (v !== null && (best === null || v > best)) [best, when] = [v, ms];
				return [r.name, best, when === null ? '' : time(when)];
			}), caption));
	}

	function release() {
		while (live.length) live.pop().destroy();
	}

	return { el, text, time, lines, bars, heat, release };
})();
