import { printable } from '../../../src/bytes/diagnostic.ts';
import { askDestination, checkedAnswers } from '../../../src/node/ask-destination.ts';
import { Qmp, QmpClosed, QmpError } from '../../../src/node/qmp.ts';
import { NoQmpMessage, parseQmpMessage, QmpLines } from '../../../src/node/qmp-message.ts';
import { withVirtioFeatures } from '../../../src/node/virtio-status.ts';
import { dialogues, scriptedQemu } from '../../node/dialogue.ts';
import type { Target } from '../target.ts';

/** Words that QEMU's answers consist of. */
const WORDS = [
  '"id"',
  '$ID',
  '"return"',
  '"error"',
  '"event"',
  '"desc"',
  '"child<x>"',
  '"parent_bus"',
  '"QMP"',
  '-9223372036854775808',
  '12345678901234567890',
  '2.9183649635036497',
];
/** Longest line that a seed of messages consists of. */
const MAX_SEED = 700;
/** Errors that have a sentence for people; TypeError and the like do not. */
const SAID: ReadonlySet<unknown> = new Set([Error, QmpError, QmpClosed]);
/** Levels of brackets, and how many there may be, beyond which a message is refused. */
const MAX_DEPTH = 1024;
const MAX_BRACKETS = 1_000_000;

/** The lines of an input as they come in pieces of these sizes, or why there are no more. */
function linesOf(bytes: Uint8Array, sizes: Uint8Array): string[] {
  const lines = new QmpLines();
  const found: string[] = [];
  for (let start = 0, i = 0; start < bytes.length; i++) {
    const end = start + (sizes.length > 0 ? 1 + (sizes[i % sizes.length]! & 31) : bytes.length);
    found.push(...lines.add(bytes.subarray(start, end)));
    start = end;
  }
  return found;
}

/** A message as JSON.parse has it, integers that it would round in quotes before; undefined where it is none. */
function expectedMessage(line: string): object | undefined {
  const quoted = line.replace(/"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*/gs, (token) =>
    /^-?[1-9]\d{15,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
  );
  const brackets = line.replace(/"(?:[^"\\]|\\.)*"?/gs, '').match(/[[\]{}]/g) ?? [];
  let [depth, deepest] = [0, 0];
  for (const bracket of brackets) {
    depth += '[{'.includes(bracket) ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  if (deepest > MAX_DEPTH || brackets.length > MAX_BRACKETS) return undefined;
  try {
    JSON.parse(line);
    const message: unknown = JSON.parse(quoted);
    return typeof message === 'object' && message !== null && !Array.isArray(message) ? message : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(line: string): object | undefined {
  try {
    return parseQmpMessage(line);
  } catch (error) {
    if (!(error instanceof NoQmpMessage)) throw error;
    return undefined;
  }
}

export const qmpMessages: Target = {
  name: 'qmp-messages',
  about: 'what a QEMU sends: lines whole and in pieces, messages against JSON.parse',
  words: WORDS,
  seeds: () =>
    [...dialogues.values()].flatMap((text) =>
      text
        .split('\n')
        .map((line) => line.slice(line.indexOf('\t') + 1).replace('$ID', '7'))
        .filter(({ length }, i) => length > 0 && length < MAX_SEED && i % 3 === 0)
        .map((line) => Buffer.from(`${line}\r\n{"event": "STOP", "data": 1.5e3}\n`)),
    ),
  async judge(bytes) {
    const lines = linesOf(bytes, new Uint8Array(0));
    const problems: string[] = [];
    if (linesOf(bytes, bytes.subarray(0, 50)).join('\n') !== lines.join('\n'))
      problems.push('other lines when they come in pieces');
    const messages = lines.map((line) => {
      const message = JSON.stringify(messageOf(line));
      const expected = JSON.stringify(expectedMessage(line));
      if (message !== expected) problems.push(`a message read otherwise: ${message} | ${expected}`);
      return message;
    });
    return { problems, result: messages.join('\n') };
  },
  testRuns: 100,
};

export const qmp: Target = {
  name: 'qmp',
  about: 'a QEMU that answers anything while a profile is made, without a process',
  words: WORDS,
  seeds: () => {
    const endless = `{"id": $ID, "return": [{"name": "${'a'.repeat(600)}", "type": "child<b>"}]}`;
    return [...dialogues.values()]
      .flatMap((text) => [text, `${text}qom-list *\t${endless}\nqom-get *\t{"id": $ID, "return": 1}\n`])
      .map((text) => Buffer.from(text));
  },
  places: (bytes) => {
    const places = [];
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(0x0a, start) + 1 || bytes.length;
      places.push({ start, end });
      start = end;
    }
    return places;
  },
  async judge(bytes) {
    const socket = scriptedQemu(Buffer.from(bytes).toString());
    try {
      const client = await Qmp.open(socket);
      const answers = await askDestination(client);
      const warnings: string[] = [];
      const devices = await withVirtioFeatures(client, answers, warnings);
      const result = JSON.stringify(checkedAnswers({ ...answers, devices }), (_, value) =>
        typeof value === 'bigint' ? String(value) : value,
      );
      return { problems: warnings.flatMap(textProblems), result };
    } catch (error) {
      const isSaid = error instanceof Error && SAID.has(error.constructor);
      if (!isSaid) throw error;
      const { message } = error;
      const isUnreadable =
        message.startsWith('what QEMU tells makes no profile') && !/more than/.test(message);
      return { problems: [...textProblems(message), ...(isUnreadable ? [message] : [])], result: message };
    } finally {
      socket.destroy();
    }
  },
  testRuns: 40,
};

function textProblems(message: string): string[] {
  return printable(message) === message
    ? []
    : [`a message that is no line of text: ${JSON.stringify(message)}`];
}
