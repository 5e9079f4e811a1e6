// Rules of this house for the contract, as a plugin of the linter. They look at the sources, not at the bundle.

// Paths that are not part of the versioned API: probes, the contract itself, links.
const isApi = (path) => path.startsWith('/v1/');

// Lists that are short and come whole.
const wholeLists = new Set(['listReasonCodes']);

const methods = ['get', 'put', 'post', 'delete', 'patch', 'head', 'options', 'trace'];

/** Calls check(operation, context) for each operation; the parameters are those of its path item too, resolved. */
function forOperations(check) {
  return () => ({
    PathItem: {
      enter(item, ctx) {
        const path = String(ctx.key);
        const resolve = (node) => (node?.$ref ? ctx.resolve(node).node : node);
        for (const method of methods) {
          const operation = item[method];
          if (!operation) continue;
          const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((p) => resolve(p) ?? {});
          const report = (message) => ctx.report({ message, location: ctx.location.child([method]) });
          check(operation, { path, method, parameters, report, resolve });
        }
      },
    },
  });
}

const has = (parameters, name, where) => parameters.some((p) => p.name === name && p.in === where);

const listsArePaged = forOperations((operation, { method, parameters, report }) => {
  if (method !== 'get' || !/^list[A-Z]/.test(operation.operationId) || wholeLists.has(operation.operationId)) return;
  for (const name of ['limit', 'cursor']) {
    if (!has(parameters, name, 'query')) report(`A list takes the query parameter \`${name}\`.`);
  }
});

const postsAreIdempotent = forOperations((operation, { path, method, parameters, report }) => {
  if (method !== 'post' || !isApi(path)) return;
  const key = parameters.find((p) => p.name === 'Idempotency-Key' && p.in === 'header');
  if (!key?.required) report('A POST requires the header `Idempotency-Key`.');
});

const patchesArePreconditioned = forOperations((operation, { method, parameters, report }) => {
  if (method !== 'patch') return;
  if (!has(parameters, 'If-Match', 'header')) report('A PATCH takes the header `If-Match`.');
  for (const status of ['412', '428']) {
    if (!operation.responses?.[status]) report(`A PATCH can answer ${status}.`);
  }
});

const operationsNameTheirKeys = forOperations((operation, { path, report }) => {
  if (!['secret', 'publishable', 'operator', 'none'].includes(operation['x-key'])) {
    report('`x-key` is one of secret, publishable, operator, none.');
  }
  if (!/^(none|[a-z]+:(read|write|approve))$/.test(operation['x-scope'] ?? '')) {
    report('`x-scope` is none or resource:read, resource:write or resource:approve.');
  }
  if (isApi(path) && operation['x-key'] === 'none') report('Everything under /v1 needs a key.');
});

const operationsSucceed = forOperations((operation, { report }) => {
  if (!Object.keys(operation.responses ?? {}).some((status) => /^[23]\d\d$/.test(status))) {
    report('An operation has an answer of 2xx or 3xx.');
  }
});

const operationsNameTheirProblems = forOperations((operation, { path, method, parameters, report, resolve }) => {
  const statuses = Object.keys(operation.responses ?? {});
  const want = ['400', '500'];
  if (isApi(path)) want.push('401', '403', '429', '503');
  if (isApi(path) && method === 'post') want.push('409', '413', '422');
  if (operation.requestBody) want.push('413', '415', '422');
  if (parameters.some((p) => p.in === 'path')) want.push('404');
  for (const status of new Set(want)) {
    if (!statuses.includes(status)) report(`The operation can answer ${status} and does not name it.`);
  }
  for (const status of statuses.filter((s) => /^[45]/.test(s))) {
    const types = Object.keys(resolve(operation.responses[status])?.content ?? {});
    if (types.length !== 1 || types[0] !== 'application/problem+json') {
      report(`The answer ${status} is application/problem+json and nothing else.`);
    }
  }
});

const successHasHeaders = forOperations((operation, { path, method, report, resolve }) => {
  for (const [status, answer] of Object.entries(operation.responses ?? {})) {
    if (!/^[23]/.test(status)) continue;
    const headers = Object.keys(resolve(answer)?.headers ?? {});
    const want = ['X-Request-Id'];
    if (isApi(path)) want.push('RateLimit', 'RateLimit-Policy');
    // An operation that stores nothing says so, and has no stored answer to give again.
    if (isApi(path) && method === 'post' && operation['x-replayed'] !== false) want.push('Idempotent-Replayed');
    for (const name of want) {
      if (!headers.includes(name)) report(`The answer ${status} names the header \`${name}\`.`);
    }
  }
});

const bodiesHaveExamples = () => ({
  MediaType: {
    enter(media, ctx) {
      const examples = Object.keys(media.examples ?? {});
      if (media.example === undefined && examples.length === 0) ctx.report({ message: 'A body has an example.' });
    },
  },
});

/** Every object, string, number and array of a schema is named, closed where it is asked for, and bounded. */
const schemasAreBounded = () => {
  const formats = new Set(['uuid', 'date-time', 'date']);
  return {
    Schema: {
      enter(schema, ctx) {
        const report = (message) => ctx.report({ message });
        const needs = (...names) => {
          for (const name of names) {
            if (schema[name] === undefined) report(`A schema of type ${schema.type} has \`${name}\`.`);
          }
        };
        for (const name of ['oneOf', 'anyOf', 'allOf', 'not']) if (schema[name]) report(`\`${name}\` is not used.`);
        if (schema.type === 'string' && !schema.enum && !formats.has(schema.format)) needs('maxLength');
        if (schema.type === 'integer') {
          needs('minimum', 'maximum');
          if (schema.format !== 'int64') report('An integer is of format int64.');
        }
        if (schema.type === 'number') report('There are no fractions: use an integer of minor units or basis points.');
        if (schema.type === 'array') needs('items', 'maxItems');
        if (schema.properties && !/^#\/(components\/schemas\/)?[A-Z]\w*$/.test(ctx.location.pointer)) {
          report('An object has a schema of its own, with a name.');
        }
      },
    },
  };
};

/** Whatever a request body can reach refuses properties that it does not know. */
const requestsAreClosed = () => ({
  RequestBody: {
    Schema: {
      enter(schema, ctx) {
        if (schema.type === 'object' && schema.additionalProperties === undefined) {
          ctx.report({ message: 'An object in a request has `additionalProperties: false`, or says what they are.' });
        }
      },
    },
  },
});

/** Extensions of an enum speak of its values: arrows between states, and names for the generators. */
const enumsKeepTheirWord = () => ({
  Schema: {
    enter(schema, ctx) {
      const arrows = schema['x-transitions'];
      if (arrows) {
        const states = new Set(schema.enum);
        for (const from of states) {
          if (!arrows[from]) ctx.report({ message: `\`x-transitions\` says where ${from} leads, even if nowhere.` });
        }
        for (const state of [...Object.keys(arrows), ...Object.values(arrows).flat()]) {
          if (!states.has(state)) ctx.report({ message: `\`x-transitions\` names ${state}, which is no state.` });
        }
      }
      const names = schema['x-enum-varnames'];
      const plain = (text) => String(text).toLowerCase().replace(/[^a-z0-9]/g, '');
      if (names && names.map(plain).join() !== schema.enum.map(plain).join()) {
        ctx.report({ message: '`x-enum-varnames` spells the values of the enum, in their order.' });
      }
    },
  },
});

/** The generators make one name space of schemas, parameters, answers and headers, whatever the case. */
const componentNamesAreUnique = () => {
  const seen = new Map();
  return {
    ref: {
      leave(node, { type, location, report }, resolved) {
        const target = resolved.location;
        if (!target || !node.$ref.includes('#')) return;
        const name = node.$ref.split('/').pop();
        if (!/^[A-Za-z]/.test(name) || type.name === 'PathItem') return;
        const place = target.absolutePointer;
        const key = name.toLowerCase().replace(/[^a-z0-9]/g, '');
        const first = seen.get(key);
        if (!first) seen.set(key, { place, name });
        else if (first.place !== place) report({ message: `The name ${name} is taken by ${first.name} elsewhere.`, location });
      },
    },
  };
};

export default function house() {
  const rules = {
    'lists-are-paged': listsArePaged,
    'posts-are-idempotent': postsAreIdempotent,
    'patches-are-preconditioned': patchesArePreconditioned,
    'operations-name-their-keys': operationsNameTheirKeys,
    'operations-succeed': operationsSucceed,
    'operations-name-their-problems': operationsNameTheirProblems,
    'success-has-headers': successHasHeaders,
    'bodies-have-examples': bodiesHaveExamples,
    'schemas-are-bounded': schemasAreBounded,
    'requests-are-closed': requestsAreClosed,
    'enums-keep-their-word': enumsKeepTheirWord,
    'component-names-are-unique': componentNamesAreUnique,
  };
  const severities = Object.fromEntries(Object.keys(rules).map((name) => [`house/${name}`, 'error']));
  return { id: 'house', rules: { oas3: rules }, configs: { all: { rules: severities } } };
}
