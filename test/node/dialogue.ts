import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

/**
 * What real QEMUs answered, some objects and properties left out: a line for each, the command with the texts of its
 * arguments in front of a tab; `$ID` is that of the command.
 */
export const dialogues: ReadonlyMap<string, string> = new Map(
  readdirSync(new URL('../../fixtures/qmp/', import.meta.url)).map((file) => [
    file.replace('.tsv', ''),
    readFileSync(new URL(`../../fixtures/qmp/${file}`, import.meta.url), 'utf8'),
  ]),
);

/** What QEMU answers to what it does not know. */
const REFUSAL = '{"id": $ID, "error": {"class": "GenericError", "desc": "no"}}';
/** Turns of the event loop without a command after which the other side has nothing more to say. */
const SILENCE = 8;

/**
 * The other end of a QMP connection, without a process. It answers by a script of lines as above; `COMMAND *` is for
 * any arguments. It closes the connection when no more is asked.
 */
export function scriptedQemu(script: string): Socket {
  const answers = new Map<string, string>();
  for (const line of script.split('\n')) {
    const tab = line.indexOf('\t');
    if (tab > 0 && !answers.has(line.slice(0, tab))) answers.set(line.slice(0, tab), line.slice(tab + 1));
  }
  let asked = 0;
  const socket = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      asked++;
      const command: { execute: string; arguments?: object; id?: number } = JSON.parse(String(chunk));
      const { execute, arguments: given = {}, id } = command;
      const answer =
        answers.get([execute, ...Object.values(given)].join(' ')) ?? answers.get(`${execute} *`) ?? REFUSAL;
      if (!socket.destroyed) socket.push(`${answer.replaceAll('$ID', String(id))}\n`);
      done();
    },
  });
  socket.push(`${answers.get('QMP') ?? ''}\n`);
  void (async () => {
    for (let before = -1; before !== asked; ) {
      before = asked;
      for (let i = 0; i < SILENCE; i++) await setImmediate();
    }
    socket.destroy();
  })();
  return Object.assign(socket, { setNoDelay: () => socket }) as Socket;
}
