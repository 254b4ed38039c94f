// What is to run, for `pm2 start ecosystem.config.js` and `rota start ecosystem.config.js`.
module.exports = {
  apps: [
    {
      name: 'app',
      script: 'app.js',
      // One worker per processor; without this line, a single process.
      instances: 'max',
      env: { NODE_ENV: 'development' },
      // pm2 start ecosystem.config.js --env production
      env_production: { NODE_ENV: 'production' },
    },
  ],
};
