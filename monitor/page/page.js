/* page.js -- views of the database: overview, a model, a stream, an alert. Addresses are fragments (#/model/NAME), so
 * one file serves all. Data comes with the page (a report) or from data/... beside it (the daemon). All text that came
 * with records is set as text, never as markup. */
'use strict';

(() => {
	const { el, text, time, lines, bars, heat, release } = Chart;
	const embedded = JSON.parse(document.getElementById('data').textContent || 'null');
	const main = document.getElementById('main');
	const address = (...words) => '#/' + words.map(encodeURIComponent).join('/');

	class Locked extends Error {}

	/* The daemon asks for its token when it listens beyond this machine; kept until the tab is closed. */
	function unlock() {
		const field = el('input', { type: 'password', id: 'token', autocomplete: 'current-password', required: true });
		return [el('h1', {}, 'Locked'), el('form', { onsubmit: event => {
			event.preventDefault();
			sessionStorage.setItem('token', field.value);
			show();
		} }, el('label', { for: 'token' }, 'Token (http.token_file of the configuration) '), field, ' ',
			el('button', {}, 'Open'))];
	}

	async function get(kind, id) {
		if (embedded) {
			const found = kind === 'overview' ? embedded.overview : embedded[kind + 's'][id];
			if (!found) throw new Error(`This report holds no ${kind} ${id}: it keeps the most telling ones. ` +
				'Ask the database, or open the page of the daemon.');
			return found;
		}
		const token = sessionStorage.getItem('token');
		const answer = await fetch(`data/${kind}` + (id === undefined ? '' : `?id=${encodeURIComponent(id)}`),
			token ? { headers: { Authorization: 'Bearer ' + token } } : {});
		if (answer.status === 401) throw new Locked();
		if (!answer.ok) throw new Error(`${kind} ${id || ''}: ${answer.status} ${await answer.text()}`);
		return answer.json();
	}

	/* -- pieces ------------------------------------------------------------------------------------------- */

	const badge = word => word ? el('span', { class: 'badge ' + word.replace(/[ :].*/, '').replace('no', 'no-data') }, word) : null;
	const exact = (x, more) => el('span', Object.assign({ 'data-value': x }, more), text(x));
	const link = (label, ...words) => el('a', { href: address(...words) }, label);

	/* a report keeps the most telling streams only */
	const streamLink = (label, id) => embedded && !embedded.streams[id] ? label : link(label, 'stream', id);

	function fact(name, value, more) {
		return el('div', {}, el('dt', {}, name), el('dd', {}, value, more ? el('small', {}, more) : null));
	}

	function meter(share) {
		if (share === null || share === undefined) return '';
		return el('span', {}, el('span', { class: 'meter' + (share >= 1 ? ' over' : '') },
			el('i', { style: `width:${Math.min(100, share * 100)}%` })), exact(share));
	}

	/* columns: [name, row -> node, numeric] */
	function listing(caption, columns, rows, none) {
		if (!rows.length) return el('p', { class: 'note' }, none);
		return el('table', { class: 'cards' }, el('caption', {}, caption),
			el('thead', {}, el('tr', {}, columns.map(c => el('th', { scope: 'col', class: c[2] ? 'number' : null }, c[0])))),
			el('tbody', {}, rows.map(r => el('tr', {}, columns.map(c =>
				el('td', { class: c[2] ? 'number' : null, 'data-name': c[0] }, c[1](r)))))));
	}

	function effect(a) {
		if (a.effect === null) return '';
		const unit = a.effect_unit === 'sigma' ? ' sigma' : a.effect_unit === 'points' ? ' points' : ' ' + (a.effect_unit || '');
		return el('span', {}, exact(a.effect), unit,
			a.effect_low === null ? '' : ` (${text(a.effect_low)} to ${text(a.effect_high)})`);
	}

	const plain = name => (name || '').replace(/:$/, '');
	const short = iso => iso ? iso.replace('T', ' ').slice(0, 16) : '';
	const who = a => [a.segment, a.version ? 'version ' + a.version : ''].filter(Boolean).join(', ');

	function alerts(rows, caption, none) {
		return listing(caption, [
			['alert', a => link(a.alert_id.slice(0, 8), 'alert', a.alert_id)],
			['state', a => badge(a.state)],
			['severity', a => badge(a.severity)],
			['what', a => el('span', {}, [a.model, plain(a.stream), who(a)].filter(Boolean).join(' '))],
			['since (UTC)', a => short(a.since || a.opened)],
			['effect', effect, true],
		], rows, none);
	}

	function trail(...steps) {
		document.getElementById('trail').replaceChildren(...steps.map(s => el('li', {}, s)));
		document.title = ['driftd', ...steps.map(s => s.textContent || s)].join(' - ');
	}

	/* -- overview ----------------------------------------------------------------------------------------- */

	function budget(b) {
		if (!b) return null;
		return el('dl', { class: 'facts' },
			fact('promised', exact(b.promised), `false alarms in ${text(b.period_days)} days, over everything`),
			fact('allowed so far', exact(b.allowance, { id: 'allowance' }), `since ${short(b.since)}`),
			fact('spent', exact(b.spent, { id: 'spent' }), 'false alarms to be expected at most'),
			fact('certified alarms', exact(b.alarms, { id: 'alarms' }),
				`and ${text(b.provisional_alarms + b.void_alarms)} without a promise`));
	}

	function overview(o) {
		trail();
		document.getElementById('standing').textContent = o.summary.watermark ? 'as of ' + short(o.summary.watermark) + ' UTC' : '';
		return [el('h1', {}, 'Models'),
			listing('Each model, what it is doing, and how much of the threshold its worst stream has used', [
				['model', m => link(m.model, 'model', m.model)],
				['state', m => badge(m.state)],
				['alerts', m => m.alerts || m.notes ? el('span', {}, exact(m.alerts), m.notes ? ` and ${m.notes} for information` : '') : '', true],
				['coverage', m => m.coverage === null ? '' : el('span', {}, exact(m.coverage),
					` (${text(m.coverage_low)} to ${text(m.coverage_high)})`), true],
				['accuracy', m => m.accuracy === null ? '' : exact(m.accuracy), true],
				['labelled', m => m.labelled_share === null ? '' : exact(m.labelled_share), true],
				['worst share', m => meter(m.statistic)],
				['streams', m => exact(m.streams), true],
				['spent', m => exact(m.spent), true],
			], o.models, 'No model has been seen yet.'),
			el('h2', {}, 'Budget of false alarms'), budget(o.budget),
			el('h2', {}, 'Open alerts'), alerts(o.alerts, 'Worst first', 'None.'),
			el('h2', {}, 'Records'), el('dl', { class: 'facts' },
				fact('records', exact(o.summary.records, { id: 'records' }), `${text(o.summary.rejected)} rejected`),
				fact('behind', exact(o.summary.lag), 'records still to be read'),
				fact('lost', exact(o.summary.lost), 'records that could not be read'))];
	}

	/* -- model -------------------------------------------------------------------------------------------- */

	const rowsOf = part => part.rows.map(r => Object.fromEntries(part.columns.map((c, i) => [c, r[i]])));

	function coverage(name, m) {
		const all = rowsOf(m.coverage), versions = [...new Set(all.map(r => r.version))];
		const marks = m.alerts.filter(a => a.kind === 'coverage' || a.kind === 'performance')
			.map(a => ({ ms: Date.parse(a.since || a.opened), text: a.stream }));
		return versions.flatMap(v => {
			const rows = all.filter(r => r.version === v), ms = rows.map(r => r.ms), of = v ? ` of version ${v}` : '';
			const out = [];
			if (rows.some(r => r.coverage !== null))
				out.push(lines(`Coverage${of} with its exact 95 % limits; red lines: coverage and performance alerts began`, ms,
					[{ name: 'coverage', values: rows.map(r => r.coverage), band: rows.map(r => [r.coverage_low, r.coverage_high]) }],
					{ marks, range: [null, 1.005] }),
				lines(`Mean width of the intervals, or size of the sets${of}`, ms, [{ name: 'width', values: rows.map(r => r.width) }]));
			if (rows.some(r => r.accuracy !== null))
				out.push(lines(`Accuracy${of}; red lines: alerts began`, ms,
					[{ name: 'accuracy', values: rows.map(r => r.accuracy) }], { marks, range: [null, 1.005] }));
			if (rows.some(r => r.mae !== null))
				out.push(lines(`Mean absolute error${of}`, ms, [{ name: 'mae', values: rows.map(r => r.mae) }], { marks }));
			out.push(lines(`Labelled share of the predictions${of}`, ms,
				[{ name: 'labelled', values: rows.map(r => r.labelled_share) }], { range: [0, 1.005] }));
			return out;
		});
	}

	function heatmap(m) {
		const streams = new Map(m.streams.map(s => [s.stream_id, { id: s.stream_id, name: plain(s.name), at: new Map() }]));
		const columns = new Set();
		for (const r of rowsOf(m.heat)) {
			columns.add(r.ms);
			if (streams.has(r.stream_id) && r.statistic !== null) streams.get(r.stream_id).at.set(r.ms, r.statistic);
		}
		const rows = [...streams.values()].filter(s => s.at.size);
		if (!rows.length) return el('p', { class: 'note' }, 'No stream is being judged yet: references are still being collected.');
		return heat('Each row a stream, each column a span of time; the darker, the more of its threshold was used; red: an alarm',
			[...columns].sort((a, b) => a - b), rows, r => streamLink(r.name, r.id));
	}

	function model(name, m) {
		trail(link(name, 'model', name));
		const j = m.labels;
		return [el('h1', {}, name),
			el('h2', {}, 'Coverage and performance'),
			m.coverage.rows.length ? coverage(name, m) : el('p', { class: 'note' }, 'Not labelled yet.'),
			el('h2', {}, 'Labels'), j ? el('dl', { class: 'facts' },
				fact('predictions', exact(j.predictions)), fact('labelled', exact(j.matched_ids)),
				fact('waiting', exact(j.waiting)), fact('expired', exact(j.expired)),
				fact('labels without a prediction', exact(j.orphan_lines))) : null,
			el('h2', {}, 'Share of the threshold'), heatmap(m),
			el('h2', {}, 'Alerts'), alerts(m.alerts, 'Latest first', 'None so far.'),
			el('h2', {}, 'Streams'),
			listing('Those that use most of their threshold first', [
				['stream', s => streamLink(plain(s.name), s.stream_id)],
				['promise', s => badge(s.promise)],
				['share', s => meter(s.statistic)],
				['effect', effect, true],
				['method', s => s.method || ''],
				['used', s => s.used === null ? '' : exact(s.used), true],
			], m.streams, 'None yet.')];
	}

	/* -- stream ------------------------------------------------------------------------------------------- */

	function distribution(s) {
		const cells = rowsOf(s.cells);
		if (!cells.length) return el('p', { class: 'note' }, 'The reference is not complete yet.');
		const names = cells.map(c => c.category !== null ? c.category :
			c.upto === null ? 'above ' + text(c.above) : 'to ' + text(c.upto));
		const counts = s.counts ? JSON.parse(s.counts.counts) : null;
		return bars('Shares of the cells: grey the reference' + (counts ? `, blue the window of ${time(s.counts.ms)} UTC` : ''),
			names, cells.map(c => c.n), counts && counts.length === cells.length ? counts : null);
	}

	function stream(s) {
		const t = s.stream, rows = rowsOf(s.series), ms = rows.map(r => r.ms), name = plain(t.name);
		trail(link(t.model, 'model', t.model), name);
		return [el('h1', {}, [t.model, name, t.segment].filter(Boolean).join(' ')),
			listing('Its tests', [
				['method', d => d.method], ['role', d => d.role], ['promise', d => badge(d.promise)],
				['share of threshold', d => meter(d.statistic)], ['effect', effect, true],
				['reference -> now', d => d.new_value === null ? '' : `${text(d.old_value)} -> ${text(d.new_value)}`, true],
			], s.tests, 'None yet.'),
			t.type === 'binary' ? null : [el('h2', {}, 'Distribution'), distribution(s)],
			t.type === 'categorical' ? null : [el('h2', {}, t.type === 'binary' ? 'Rate' : 'Values'),
				lines(t.type === 'binary' ? 'Rate of the windows' : 'Mean of the windows; the band holds 90 % of the values', ms,
					[t.type === 'binary' ? { name: 'rate', values: rows.map(r => r.mean) } :
						{ name: 'mean', values: rows.map(r => r.mean), band: rows.map(r => [r.q05, r.q95]) }])],
			el('h2', {}, 'Evidence'),
			lines('Highest share of the threshold in each window; at 1 an alert opens', ms,
				[{ name: 'share', values: rows.map(r => r.statistic) }], { level: 1 })];
	}

	/* -- alert -------------------------------------------------------------------------------------------- */

	function command(words) {
		const code = el('code', {}, words), state = el('span', { role: 'status' });
		return el('div', { class: 'command' }, code, el('button', { type: 'button', onclick: async () => {
			try { await navigator.clipboard.writeText(words); state.textContent = 'Copied.'; }
			catch (e) { getSelection().selectAllChildren(code); state.textContent = 'Selected: copy it with the keyboard.'; }
		} }, 'Copy'), state);
	}

	function alert(x) {
		const a = x.alert, rows = rowsOf(x.series), id = a.alert_id;
		trail(a.model ? link(a.model, 'model', a.model) : 'system', id.slice(0, 8));
		return [el('h1', {}, [a.model, plain(a.stream), who(a)].filter(Boolean).join(' ') || a.kind),
			el('p', {}, badge(a.state), ' ', badge(a.severity), ' ', badge(a.promise)),
			el('pre', { id: 'story' }, a.text || ''),
			a.explanation ? [el('h2', {}, 'Where it concentrates'), el('pre', {}, a.explanation)] : null,
			el('h2', {}, 'Evidence'),
			rows.length ? lines('Highest share of the threshold in each window; red: the change began, the alert opened',
				rows.map(r => r.ms), [{ name: 'share', values: rows.map(r => r.statistic) }],
				{ level: 1, marks: [a.since, a.opened].filter(Boolean).map(t => ({ ms: Date.parse(t), text: '' })) }) :
				el('p', { class: 'note' }, 'No windows around it are kept.'),
			el('h2', {}, 'Effect'), el('p', {}, effect(a), a.new_value === null ? '' :
				` from ${text(a.old_value)} to ${text(a.new_value)}`),
			x.stream && x.stream.stream_id ? el('p', {}, streamLink('Its stream', x.stream.stream_id)) : null,
			el('h2', {}, 'What happened'),
			listing('Events of this alert', [
				['at (UTC)', e => short(e.at)], ['event', e => e.event], ['effect', e => e.effect === null ? '' : exact(e.effect), true],
			], x.events, 'None.'),
			el('h2', {}, 'Next'), command(`driftd ack ${document.body.dataset.database || 'DB'} ${id.slice(0, 8)}`)];
	}

	/* -- routing ------------------------------------------------------------------------------------------ */

	const views = {
		'': async () => overview(await get('overview')),
		model: async id => model(id, await get('model', id)),
		stream: async id => stream(await get('stream', id)),
		alert: async id => alert(await get('alert', id)),
	};

	async function show(moved) {
		const [kind, id] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
		let content;
		try {
			content = await (views[kind] || views[''])(id);
		} catch (e) {
			content = e instanceof Locked ? unlock() : [el('h1', {}, 'Nothing to show'), el('p', {}, e.message), el('p', {}, link('All models'))];
		}
		release();
		main.replaceChildren(...content.flat(3).filter(Boolean));
		main.dataset.view = kind || 'overview';
		if (moved) main.focus();
		document.body.dataset.shown = 'yes';
	}

	document.getElementById('source').textContent = embedded ?
		'A report: everything it shows is in this file. The same figures: driftd status, driftd alerts, sqlite3.' :
		'The same figures: driftd status, driftd alerts, sqlite3.';
	addEventListener('hashchange', () => show(true));
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => show());
	if (!embedded) /* a screen on a wall stays true */
		setInterval(() => { if (!document.hidden && main.dataset.view === 'overview') show(); }, 30000);
	show();
})();
