import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

interface Reply {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

/** A connection to QEMU's machine protocol: https://www.qemu.org/docs/master/interop/qmp-spec.html */
export class Qmp {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #text = '';
  #lastId = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('QEMU closed the connection'));
    });
  }

  /** Connects to a unix socket that QEMU may still have to make. Throws when there is none after `milliseconds`. */
  static async connect(path: string, milliseconds: number): Promise<Qmp> {
    for (const end = Date.now() + milliseconds; ; ) {
      const socket = connect(path);
      try {
        await once(socket, 'connect');
        const qmp = new Qmp(socket);
        await qmp.execute('qmp_capabilities');
        return qmp;
      } catch (error) {
        if (Date.now() > end) throw error;
        await sleep(50);
      }
    }
  }

  /** Runs a command. Throws what QEMU complains of. */
  async execute<Result = unknown>(command: string, args: object = {}): Promise<Result> {
    const id = ++this.#lastId;
    const reply = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return (await reply) as Result;
  }

  /** Runs a command of the monitor for people, and gives what it prints. */
  monitor(line: string): Promise<string> {
    return this.execute<string>('human-monitor-command', { 'command-line': line });
  }

  #receive(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const reply: Reply = JSON.parse(line);
      // The greeting and events have no id.
      const waiting = reply.id === undefined ? undefined : this.#waiting.get(reply.id);
      if (!waiting || reply.id === undefined) continue;
      this.#waiting.delete(reply.id);
      if (reply.error) waiting.reject(new Error(`${reply.error.class}: ${reply.error.desc}`));
      else waiting.resolve(reply.return);
    }
  }
}
