/**
 * Lets the package work in the background: `background.mjs <directory>`. Prints how many worker threads were started,
 * where the runtime tells that, and `ok`.
 */
import { open } from 'sedgedb'
import { exercise, exerciseBackground } from './exercise.mjs'

async function main() {
  let workers = 0
  process.on('worker', () => workers++)
  await exercise(open, `${process.argv[2]}/a`)
  await exerciseBackground(open, `${process.argv[2]}/b`)
  console.log(`${workers} workers`)
  console.log('ok')
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
