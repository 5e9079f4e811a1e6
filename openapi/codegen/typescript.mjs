// hey-api: the TypeScript client. Paths come from the command line (internal/tools/generate.sh).
export default {
  input: process.env.GRAPEVINE_CONTRACT,
  output: {
    path: process.env.GRAPEVINE_TYPESCRIPT_OUT,
    // Plain tsc can then emit ES modules that Node runs as they are.
    importFileExtension: '.js',
  },
  logs: { file: false },
  plugins: [
    { name: '@hey-api/typescript', enums: false },
    { name: '@hey-api/sdk' },
    { name: '@hey-api/client-fetch' },
  ],
};
