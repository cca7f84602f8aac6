*** Settings ***
Variables       ${EXECDIR}/resources/variables.py
Library         broker


*** Test Cases ***
900_02_01 A Broker Of Messages Listens On Both Ports While It Is To
    [Template]    The Broker Listens
    mosquitto.conf
    mosquitto_with_user.conf


*** Keywords ***
The Broker Listens
    [Arguments]    ${configuration}
    Run Docker    run    -d    -e    CONF=${configuration}    --name    any    image
    ${own}=    Connects    ${mqtt_broker_host}    1883
    ${other}=    Connects    ${mqtt_broker_host}    ${mqtt_broker_non_default_port}
    Should Be True    ${own} and ${other}
    Run Docker    rm    -f    any
    ${later}=    Connects    ${mqtt_broker_host}    1883
    Should Not Be True    ${later}
