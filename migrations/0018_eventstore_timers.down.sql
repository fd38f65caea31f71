DROP TABLE eventstore.timers;
