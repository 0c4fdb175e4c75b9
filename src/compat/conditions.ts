import type { CompiledVmsd } from '../vmsd/compiled.ts';
import type { AskedTest, SideView } from './side-view.ts';
import { withSource } from './test-text.ts';
import type { Condition } from './wire-items.ts';

/** Conditions for people, each once. */
export function conditionTexts(conditions: readonly Condition[]): string[] {
  return [...new Set(conditions.map(conditionText))];
}

function conditionText(condition: Condition): string {
  switch (condition.kind) {
    case 'test':
      return withSource(testText(condition), condition.test.source());
    case 'elements':
      return `${condition.field} has elements`;
    case 'subsection': {
      const text = condition.test?.text();
      const sent = `${condition.name} is sent${text === undefined ? '' : `: ${text}`}`;
      return withSource(sent, condition.test?.source());
    }
  }
}

function testText({ test, field }: TestCondition): string {
  return test.text() ?? `the test of ${field} holds`;
}

/** The opposite of what a test asks. */
export function oppositeText(test: AskedTest, unknown: string): string {
  return withSource(notText(test.text() ?? unknown), test.source());
}

/** The same for conditions that can be taken to say the same on both sides. */
export function conditionGroup(conditions: readonly Condition[]): string {
  return JSON.stringify(
    conditions.map((condition) => {
      if (condition.kind === 'test') return ['test', condition.test.shape];
      return condition.kind === 'subsection' ? condition.name : condition.kind;
    }),
  );
}

/** What has to hold for a section or subsection to be sent; nothing where it always is, undefined where it never is. */
export function sendConditions(source: SideView, vmsd: CompiledVmsd): readonly Condition[] | undefined {
  const isSent = source.isSent(vmsd);
  if (isSent !== undefined) return isSent ? [] : undefined;
  const { name, needed } = vmsd;
  return [{ kind: 'subsection', name, test: needed && source.ask(needed, vmsd, 0) }];
}

/** A test that one side has, and the other has not, or asks otherwise. */
export interface TestDifference {
  readonly message: string;
  readonly condition: string;
}

/** Compares the tests that a field is under. What too little is known of is taken to be the same. */
export function testDifference(
  saved: readonly Condition[],
  loaded: readonly Condition[],
): TestDifference | undefined {
  const sent = tests(saved);
  const read = tests(loaded);
  takeEqual(sent, read, (a, b) => a.test.shape !== undefined && a.test.shape === b.test.shape);
  takeEqual(sent, read, (a, b) => a.test.shape === undefined || b.test.shape === undefined);
  const text = ([condition]: readonly TestCondition[]) => (condition ? conditionText(condition) : '');
  const [a, b] = [text(sent), text(read)];
  if (sent.length > 0 && read.length > 0)
    return { message: `sent if ${a}, read if ${b}`, condition: 'the tests do not agree' };
  const opposite = ([condition]: readonly TestCondition[]) =>
    condition ? oppositeText(condition.test, testText(condition)) : '';
  if (sent.length > 0) return { message: `sent only if ${a}, but always read`, condition: opposite(sent) };
  if (read.length > 0) return { message: `always sent, but read only if ${b}`, condition: opposite(read) };
  return undefined;
}

/**
 * How the two sides decide otherwise whether a section or subsection is sent. Undefined where they do not, or where too
 * little is known.
 */
export function neededDifference(
  source: AskedTest | 'always' | undefined,
  destination: AskedTest | 'always' | undefined,
): string | undefined {
  if (source === undefined || destination === undefined || source === destination) return undefined;
  if (source !== 'always' && destination !== 'always') {
    const [a, b] = [source.shape, destination.shape];
    if (a === undefined || b === undefined || a === b) return undefined;
  }
  const [from, to] = [whenText(source), whenText(destination)];
  return from === to ? undefined : `the source sends it ${from}, the destination ${to}`;
}

function whenText(needed: AskedTest | 'always'): string {
  if (needed === 'always' || needed.answer === true) return 'always';
  if (needed.answer === false) return 'never';
  const text = needed.text();
  return withSource(text === undefined ? 'where a test says so' : `if ${text}`, needed.source());
}

type TestCondition = Extract<Condition, { kind: 'test' }>;

function tests(conditions: readonly Condition[]): TestCondition[] {
  return conditions.filter((condition) => condition.kind === 'test');
}

/** The opposite of a condition. */
function notText(text: string): string {
  const isWhole = (part: string) =>
    /^[^ ]*$|^\(.*\)$|^[^()]*$/.test(part) && !/ (and|or|then) | [<>=!]=? /.test(part);
  const inner = text.startsWith('not ') ? text.slice(4) : undefined;
  if (inner !== undefined && isWhole(inner)) return inner;
  return isWhole(text) ? `not ${text}` : `not (${text})`;
}

function takeEqual(
  a: TestCondition[],
  b: TestCondition[],
  equal: (x: TestCondition, y: TestCondition) => boolean,
): void {
  for (let i = a.length - 1; i >= 0; i--) {
    const j = b.findIndex((candidate) => equal(a[i]!, candidate));
    if (j < 0) continue;
    a.splice(i, 1);
    b.splice(j, 1);
  }
}
