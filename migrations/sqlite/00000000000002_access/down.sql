DROP TABLE setting;
DROP TABLE key_system;
DROP TABLE client_key;
DROP TABLE client;
DROP TABLE binding;
DROP TABLE space;
