//go:build !js

package e2e

// roleAndName is a function of a document and a role. It lists the elements of
// that role that are there for somebody who can't see, as [{element, name}],
// with shadow trees. It follows WAI-ARIA's accessible names as far as this
// product needs; axe-core (axe_test.go) judges the names themselves. Chromium's
// own tree is not asked because it answers only after the next frame is drawn,
// and a frame that is covered may draw none.
const roleAndName = `(document, role) => {
	const tags = {
		BUTTON: 'button', SUMMARY: 'button', TEXTAREA: 'textbox', UL: 'list', OL: 'list', LI: 'listitem', OUTPUT: 'status', DIALOG: 'dialog',
		H1: 'heading', H2: 'heading', H3: 'heading', NAV: 'navigation', MAIN: 'main', FORM: 'form', IMG: 'img', SELECT: 'combobox',
	};
	const inputs = {search: 'searchbox', checkbox: 'checkbox', radio: 'radio', submit: 'button', button: 'button', reset: 'button', hidden: ''};
	const roleOf = e => {
		const given = (e.getAttribute('role') || '').split(' ')[0];
		if (given) return given;
		if (e.tagName === 'INPUT') return inputs[e.type] === undefined ? 'textbox' : inputs[e.type];
		if (e.tagName === 'A') return e.hasAttribute('href') ? 'link' : '';
		return tags[e.tagName] || '';
	};
	const hidden = e => !e.checkVisibility({visibilityProperty: true}) || !!e.closest('[aria-hidden="true"],[inert]');
	const words = s => s.replace(/\s+/g, ' ').trim();
	const inside = n => {
		if (n.nodeType === 3) return n.data;
		if (n.nodeType !== 1 || n.getAttribute('aria-hidden') === 'true' || !n.checkVisibility({visibilityProperty: true})) return '';
		if (n.getAttribute('aria-label')) return n.getAttribute('aria-label');
		if (n.tagName === 'IMG') return n.alt;
		const block = getComputedStyle(n).display.startsWith('inline') ? '' : ' ';
		return block + [...n.childNodes].map(inside).join('') + block;
	};
	const content = ['button', 'link', 'heading', 'listitem', 'option', 'menuitem', 'tab', 'checkbox', 'radio'];
	const nameOf = (e, role) => {
		const by = (e.getAttribute('aria-labelledby') || '').split(' ').map(id => id && e.getRootNode().getElementById(id)).filter(x => x);
		if (by.length) return by.map(x => words([...x.childNodes].map(inside).join(''))).join(' ');
		if (e.getAttribute('aria-label')) return e.getAttribute('aria-label');
		if (e.labels && e.labels.length) return [...e.labels].map(l => words([...l.childNodes].map(inside).join(''))).join(' ');
		if (e.tagName === 'IMG') return e.alt;
		if (content.includes(role)) {
			const text = words([...e.childNodes].map(inside).join(''));
			if (text) return text;
		}
		return e.title || e.placeholder || '';
	};
	const found = [];
	const walk = root => {
		for (const e of root.querySelectorAll('*')) {
			if (roleOf(e) === role && !hidden(e)) found.push({element: e, name: nameOf(e, role)});
			if (e.shadowRoot) walk(e.shadowRoot);
		}
	};
	walk(document);
	return found;
}`
