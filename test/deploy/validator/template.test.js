// Validates template.yaml against CloudFormation's schemas and rules with AWS's own
// validator, which needs no network. ../sam.go checks the rest of SAM's rules.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegoEngine, TemplateFile } from '@aws/cloudformation-validate';

const engine = new RegoEngine(); // takes seconds
const template = new URL('../../../template.yaml', import.meta.url);

// faults returns the faults of a template, one line each, without advice and without
// one false alarm: SAM creates the resource of a function's URL, to which the
// template refers.
function faults(path) {
  return engine
    .validateStandard(new TemplateFile(path))
    .diagnostics.filter((d) => d.severity !== 'INFO')
    .filter((d) => !(d.ruleId === 'F6101' && /^GetAtt '\w+Url\.FunctionUrl' /.test(d.message)))
    .map((d) => `${d.startLine}: ${d.ruleId} ${d.message}`);
}

test('template.yaml', () => assert.deepEqual(faults(template.pathname), []));

// The validator finds a fault after each of these replacements.
const text = readFileSync(template, 'utf8');
for (const [right, wrong] of [
  ['AuthType:', 'AuthTyp:'],
  ['MemorySize:', 'MemorySiz:'],
  ['Runtime: provided.al2023', 'Runtime: go1.x'],
  ['!Ref TocsinLag', '!Ref TocsinLga'],
  ['AWS::Serverless::Function', 'AWS::Serverless::Functio'],
  ['.FunctionUrl', '.FunctionURL'],
]) {
  test(`${wrong} for ${right}`, (t) => {
    assert.ok(text.includes(right));
    const folder = mkdtempSync(join(tmpdir(), 'template'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'template.yaml');
    writeFileSync(path, text.replace(right, wrong));
    assert.notDeepEqual(faults(path), []);
  });
}
