// Renders /openapi.json. No library, no network beyond this server, no innerHTML.
'use strict';

const VERBS = ['get', 'post', 'put', 'patch', 'delete'];

/** An element with attributes and children; text is always text. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  for (const child of children.flat()) if (child != null) node.append(child);
  return node;
}

/** Text in which `backquotes` mark code. */
function prose(text) {
  return (text || '').split('`').map((part, i) => (i % 2 ? el('code', {}, part) : part));
}

function resolve(api, node) {
  if (!node || !node.$ref) return node;
  return node.$ref.slice(2).split('/').reduce((at, step) => at && at[step], api);
}

/** A schema as an example-like outline; `seen` ends recursion. */
function outline(api, schema, depth = 0, seen = []) {
  if (!schema) return 'any';
  if (schema.$ref) {
    if (seen.includes(schema.$ref) || depth > 8) return schema.$ref.split('/').pop();
    return outline(api, resolve(api, schema), depth, [...seen, schema.$ref]);
  }
  const pad = '  '.repeat(depth + 1);
  const types = [].concat(schema.type || []);
  if (schema.properties) {
    const required = schema.required || [];
    const lines = Object.entries(schema.properties).map(([name, property]) => {
      const optional = required.includes(name) ? '' : '?';
      const note = property.description ? `  // ${property.description.split('\n')[0]}` : '';
      return `${pad}"${name}"${optional}: ${outline(api, property, depth + 1, seen)},${note}`;
    });
    return `{\n${lines.join('\n')}\n${'  '.repeat(depth)}}`;
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const options = schema.oneOf || schema.anyOf || schema.allOf;
  if (options) return options.map((option) => outline(api, option, depth, seen)).join(' | ');
  if (types.includes('array')) return `[${outline(api, schema.items, depth, seen)}]`;
  if (typeof schema.additionalProperties === 'object') {
    return `{ [name]: ${outline(api, schema.additionalProperties, depth, seen)} }`;
  }
  const bounds = [];
  if (schema.format) bounds.push(schema.format);
  if (schema.minimum != null) bounds.push(`≥ ${schema.minimum}`);
  if (schema.maximum != null) bounds.push(`≤ ${schema.maximum}`);
  return (types.join(' | ') || 'any') + (bounds.length ? ` (${bounds.join(', ')})` : '');
}

function content(api, holder) {
  const found = holder && holder.content && Object.values(holder.content)[0];
  return found && found.schema ? el('pre', {}, outline(api, found.schema)) : null;
}

function parameterTable(api, parameters) {
  if (!parameters || !parameters.length) return null;
  const rows = parameters.map((raw) => {
    const p = resolve(api, raw);
    return el('tr', {},
      el('td', {}, el('code', {}, p.name), el('div', { class: 'need' }, `${p.in}${p.required ? ', required' : ''}`)),
      el('td', {}, outline(api, p.schema)),
      el('td', {}, prose(p.description)));
  });
  const head = el('tr', {}, ...['Parameter', 'Type', 'Meaning'].map((text) => el('th', { scope: 'col' }, text)));
  return el('table', {}, el('thead', {}, head), el('tbody', {}, rows));
}

function responseTable(api, responses) {
  const rows = Object.entries(responses || {}).map(([status, raw]) => {
    const response = resolve(api, raw) || {};
    const problem = Boolean(response.content && response.content['application/problem+json']);
    return el('tr', {},
      el('td', {}, el('code', {}, status)),
      el('td', {}, prose(response.description), problem ? null : content(api, response)));
  });
  const head = el('tr', {}, ...['Status', 'Answer'].map((text) => el('th', { scope: 'col' }, text)));
  return el('table', {}, el('thead', {}, head), el('tbody', {}, rows));
}

function operation(api, verb, path, op) {
  const body = content(api, resolve(api, op.requestBody));
  const inner = el('div', {},
    (op.description || '').split('\n\n').map((text) => el('p', {}, prose(text))),
    op['x-permission'] ? el('p', {}, 'Permission: ', el('code', {}, op['x-permission'])) : null,
    parameterTable(api, op.parameters),
    body ? el('h3', {}, 'Body') : null, body,
    el('h3', {}, 'Answers'), responseTable(api, op.responses));
  const details = el('details', { id: op.operationId },
    el('summary', {}, el('span', { class: `verb ${verb}` }, verb.toUpperCase()),
      el('span', { class: 'path' }, path), el('span', { class: 'summary' }, op.summary || '')),
    inner);
  details.dataset.words = `${verb} ${path} ${op.summary} ${op['x-permission'] || ''}`.toLowerCase();
  return details;
}

function render(api) {
  document.getElementById('title').textContent = `${api.info.title} ${api.info.version}`;
  document.title = `${api.info.title} API`;
  document.getElementById('about').replaceChildren(...prose(api.info.description));
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths || {})) {
    for (const verb of VERBS) {
      const op = item[verb];
      if (!op) continue;
      const tag = (op.tags && op.tags[0]) || 'other';
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(api, verb, path, op));
    }
  }
  const main = document.getElementById('operations');
  const nav = document.getElementById('contents');
  main.replaceChildren();
  for (const tag of [...groups.keys()].sort()) {
    const operations = groups.get(tag);
    main.append(el('section', { 'aria-label': tag }, el('h2', {}, tag), operations));
    nav.append(el('strong', {}, tag), el('ul', {}, operations.map((node) =>
      el('li', {}, el('a', { href: `#${node.id}` }, node.querySelector('.summary').textContent)))));
  }
  open(location.hash);
}

function open(hash) {
  const target = hash && document.getElementById(hash.slice(1));
  if (target) { target.open = true; target.scrollIntoView(); }
}

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll('main section')) {
    let shown = 0;
    for (const node of section.querySelectorAll('details')) {
      node.hidden = !words.every((word) => node.dataset.words.includes(word));
      if (!node.hidden) shown += 1;
    }
    section.hidden = shown === 0;
  }
}

document.getElementById('filter').addEventListener('input', (event) => filter(event.target.value));
window.addEventListener('hashchange', () => open(location.hash));
fetch('/openapi.json')
  .then((response) => response.json())
  .then(render)
  .catch((error) => {
    document.getElementById('operations').replaceChildren(el('p', {}, `Cannot load the description: ${error}`));
  });
