// Holds template.yaml against the schemas and rules of CloudFormation, by AWS's
// own validator, which needs no network. What it does not know of SAM is checked
// in ../sam.go.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegoEngine, TemplateFile } from '@aws/cloudformation-validate';

const engine = new RegoEngine(); // takes seconds
const template = new URL('../../../template.yaml', import.meta.url);

// faults returns what is wrong with the template of a file, a line each. Advice
// is left out, and so is the one false alarm: SAM makes the resource of a
// function's URL, which the template refers to and does not have.
function faults(path) {
  return engine
    .validateStandard(new TemplateFile(path))
    .diagnostics.filter((d) => d.severity !== 'INFO')
    .filter((d) => !(d.ruleId === 'F6101' && /^GetAtt '\w+Url\.FunctionUrl' /.test(d.message)))
    .map((d) => `${d.startLine}: ${d.ruleId} ${d.message}`);
}

test('template.yaml', () => assert.deepEqual(faults(template.pathname), []));

// The validator sees what is wrong: each of these is one word of the template
// replaced.
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
