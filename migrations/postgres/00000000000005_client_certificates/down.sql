DROP TABLE client_certificate;
