import type { Command, Completion } from './command.js';
import { optionsOf } from './parse.js';

/** Scripts that complete the words of a command line, from the declaration of the commands. */

/** A text within single quotes, in which a shell changes nothing. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

const names = (commands: readonly Command[]) => commands.map(({ name }) => name);
const optionNames = (command: Command) => Object.keys(optionsOf(command)).map((name) => `--${name}`);

/** The words that a completion stands for; undefined for files and for values that only the user knows. */
function wordsOf(completion: Completion | undefined, commands: readonly Command[]): readonly string[] | undefined {
  if (completion === 'commands') return names(commands);
  return completion === 'files' ? undefined : completion;
}

export function bashCompletion(commands: readonly Command[]): string {
  const words = (list: readonly string[]) =>
    `mapfile -t COMPREPLY < <(compgen -W ${quoted(list.join(' '))} -- "$word")`;
  const files = 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word")';
  const complete = (completion: Completion | undefined) => {
    if (completion === 'files') return files;
    const list = wordsOf(completion, commands);
    return list === undefined ? ':' : words(list);
  };
  const cases = commands.map((command) => {
    const valued = Object.entries(optionsOf(command)).filter(([, { value }]) => value !== undefined);
    const values = valued.map(([name, { completion }]) => `        --${name}) ${complete(completion)}; return ;;`);
    // Operands of a command are all completed alike.
    const operand = complete(command.operands[0]?.completion);
    return [
      `    ${command.name})`,
      ...(values.length === 0 ? [] : ['      case $previous in', ...values, '      esac']),
      `      if [[ $word == -* ]]; then ${words(optionNames(command))}; else ${operand}; fi ;;`,
    ].join('\n');
  });
  return `# Completion of blasnet for bash: source <(blasnet completion bash)
_blasnet() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    ${words([...names(commands), '--help', '--version'])}
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
}
complete -F _blasnet blasnet`;
}

export function zshCompletion(commands: readonly Command[]): string {
  // Colons and brackets separate the parts of a specification.
  const plain = (text: string) => text.replace(/[\\:[\]]/g, '\\$&');
  const action = (completion: Completion | undefined) => {
    if (completion === 'files') return '_files';
    const list = wordsOf(completion, commands);
    return list === undefined ? ' ' : `(${list.join(' ')})`;
  };
  const cases = commands.map((command) => {
    const options = Object.entries(optionsOf(command)).map(([name, { value, text, completion }]) => {
      const argument = value === undefined ? '' : `:${plain(value)}:${action(completion)}`;
      return quoted(`--${name}[${plain(text)}]${argument}`);
    });
    const operands = command.operands.map(({ name, completion }, i) =>
      quoted(`${i + 1}:${plain(name)}:${action(completion)}`),
    );
    return `    ${command.name}) _arguments ${[...options, ...operands].join(' ')} ;;`;
  });
  const described = commands.map(({ name, summary }) => quoted(`${name}:${plain(summary)}`));
  return `#compdef blasnet
# Completion of blasnet for zsh: source <(blasnet completion zsh), after compinit
_blasnet() {
  if ((CURRENT == 2)); then
    local -a commands=(${described.join(' ')})
    _describe command commands
    compadd -- --help --version
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${cases.join('\n')}
  esac
}
compdef _blasnet blasnet`;
}

export function fishCompletion(commands: readonly Command[]): string {
  // In single quotes, fish has backslashes as escapes.
  const text = (words: string) => `'${words.replace(/[\\']/g, '\\$&')}'`;
  const first = commands.map(
    ({ name, summary }) => `complete -c blasnet -n __fish_use_subcommand -f -a ${name} -d ${text(summary)}`,
  );
  const rest = commands.flatMap((command) => {
    const start = `complete -c blasnet -n '__fish_seen_subcommand_from ${command.name}'`;
    const list = (completion: Completion | undefined) => {
      if (completion === 'files') return '-F';
      const words = wordsOf(completion, commands);
      return words === undefined ? '-f' : `-f -a ${text(words.join(' '))}`;
    };
    const options = Object.entries(optionsOf(command)).map(([name, { value, text: what, completion }]) => {
      const argument = value === undefined ? '' : ` -r ${list(completion)}`;
      return `${start} -l ${name}${argument} -d ${text(what)}`;
    });
    return [`${start} ${list(command.operands[0]?.completion)}`, ...options];
  });
  return [
    '# Completion of blasnet for fish: blasnet completion fish | source',
    ...first,
    'complete -c blasnet -n __fish_use_subcommand -f -l help',
    'complete -c blasnet -n __fish_use_subcommand -f -l version',
    ...rest,
  ].join('\n');
}
